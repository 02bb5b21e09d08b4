"""Runs one operation with generated requests: valid ones on live and on deleted items, and invalid ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from outlook_contract.exchange import Exchange
from outlook_contract.generation.agreement import agree
from outlook_contract.generation.bridge import OWN_CREDENTIAL, Bridge
from outlook_contract.generation.items import Items, ids_of, kind_of
from outlook_contract.generation.reading import drop_other_spellings, is_readable
from outlook_contract.mailbox import Mailbox
from outlook_contract.routes import Route

_KNOWN_FAILURES = (b"FromBase64String", b"cannot be renewed without a notification URL")
"""Texts of responses in which the real connector fails on invalid requests (deviation known-server-errors)."""
_LOCATIONS = {"path": ParameterLocation.PATH, "query": ParameterLocation.QUERY, "header": ParameterLocation.HEADER}


class Disagreement(AssertionError):
    """A response is not what the definition promises; the text has schemathesis's report."""

    def __init__(self, exchange: Exchange, expected: str, report: str = "") -> None:
        super().__init__(f"expected {expected}\n{exchange}\n{report}".rstrip())
        self.exchange, self.expected = exchange, expected


class Generator:
    """Generates requests to the operations of a mailbox, and checks the responses.

    `careful` is for a real mailbox: what is created carries the run's marker, mail goes to the own address only, and
    invalid requests go only to operations that read.
    """

    def __init__(self, mailbox: Mailbox, items: Items, schema: Any, bridge: Bridge, *, careful: bool) -> None:
        self._mailbox = mailbox
        self._items = items
        self._schema = schema
        self._bridge = bridge
        self._careful = careful

    def run(self, route: Route, examples: int) -> None:
        """Send generated requests to one operation. Raises Disagreement, for the simplest request that shows it."""
        operation = self._schema.find_operation_by_id(route.id)
        fixed = {} if route.is_at_root else {"connectionId": self._bridge.connection}
        modes = [GenerationMode.POSITIVE]
        if not self._careful or route.method == "GET":
            modes.append(GenerationMode.NEGATIVE)
        cases = st.one_of([operation.as_strategy(generation_mode=mode, path_parameters=fixed) for mode in modes])

        # Not drawn: few draws may all be the same, and a run would not try a deleted item.
        turns = {is_valid: cycle((False, False, True)) for is_valid in (True, False)}
        has_items = bool(ids_of(route)) and kind_of(route) != "folder"

        @_settings(examples)
        @given(cases)
        def send(case: Any) -> None:
            is_gone = next(turns[bool(case.meta.generation.mode.is_positive)])
            self._send(route, case, is_gone and has_items)

        with suppress(Unsatisfiable):
            try:
                send()
            except Flaky as flaky:
                # A repeated request can have another response, since the mailbox has changed.
                raise next(_disagreements(flaky), flaky) from None

    def _send(self, route: Route, case: Any, gone: bool) -> None:
        is_valid = bool(case.meta.generation.mode.is_positive)
        self._aim(route, case, gone, is_valid)
        self._mailbox.report.cases[self._mailbox.report.check] += 1
        response = case.call(base_url=self._bridge.root, headers={"Authorization": OWN_CREDENTIAL})
        exchange = self._bridge.exchange
        if exchange.is_success:
            self._note_success(route, exchange)
        self._check(case, response, exchange)
        if is_valid and gone and exchange.status != 404:
            raise Disagreement(exchange, "404 for a deleted item")
        if is_valid and not gone and not exchange.is_success:
            raise Disagreement(exchange, "success for a valid request")

    def _check(self, case: Any, response: Any, exchange: Exchange) -> None:
        excluded = []
        if not exchange.body:
            # Swagger 2.0 cannot say that a response has no body (deviation empty-response).
            excluded.append(checks.content_type_conformance)
        if exchange.status == 500 and any(text in exchange.body for text in _KNOWN_FAILURES):
            excluded += [not_a_server_error, checks.negative_data_rejection]
        if exchange.is_success and is_readable(exchange):
            excluded.append(checks.negative_data_rejection)
        try:
            case.validate_response(
                response,
                excluded_checks=excluded,
                headers={"Authorization": OWN_CREDENTIAL},
                transport_kwargs={"base_url": self._bridge.root, "headers": {"Authorization": OWN_CREDENTIAL}},
            )
        except FailureGroup as group:
            titles = ", ".join(sorted({failure.title for failure in group.exceptions}))
            raise Disagreement(exchange, f"no failure of schemathesis: {titles}", str(group)) from None

    def _aim(self, route: Route, case: Any, gone: bool, is_valid: bool) -> None:
        """Put values of items in the place of generated ones, except where the case is about these."""
        replaced = [
            (name, value)
            for name, value in self._items.values(route, gone=gone).items()
            if not _is_negated(case, name, _LOCATIONS[route.parameters[name]["in"]])
        ]
        for name, value in replaced:
            values = case.path_parameters if route.parameters[name]["in"] == "path" else case.query
            # A link without its signature is refused.
            if isinstance(values, dict) and (name in values or (is_valid and name == "sig")):
                values[name] = value
        if is_valid:
            for parameter in route.parameters.values():
                if parameter["in"] == "body":
                    drop_other_spellings(parameter["schema"], case.body)
            self._items.fill_in(case.body, careful=self._careful)
            agree(case.query, case.body)

    def _note_success(self, route: Route, exchange: Exchange) -> None:
        location = exchange.headers.get("location", "")
        if "$subscriptions" in location:
            self._mailbox.remember_subscription(location)
        if route.method == "DELETE" or route.id in ("Move", "RespondToEvent"):
            self._items.use_up(route)


def _is_negated(case: Any, name: str, location: ParameterLocation) -> bool:
    """Whether a case is invalid because of this parameter."""
    component = case.meta.components.get(location)
    if component is None or not component.mode.is_negative:
        return False
    mutations = [
        mutation.parameter
        for mutation in getattr(case.meta.phase.data, "mutations", None) or ()
        if mutation.parameter_location == location
    ]
    return not mutations or name in mutations or None in mutations


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        print_blob=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _disagreements(flaky: BaseException) -> Iterator[Disagreement]:
    pending: list[BaseException] = [flaky]
    while pending:
        error = pending.pop()
        if isinstance(error, Disagreement):
            yield error
        pending += getattr(error, "exceptions", ())
