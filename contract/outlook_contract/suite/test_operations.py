"""Every operation with generated requests: valid ones are accepted, invalid ones refused, responses as declared.

schemathesis generates them from the definition. Ids come from items that exist, or that were deleted.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from outlook_contract.generation import document
from outlook_contract.generation.bridge import Bridge
from outlook_contract.generation.cases import Disagreement, Generator
from outlook_contract.generation.items import Items, kind_of
from outlook_contract.mailbox import Mailbox
from outlook_contract.plugin import REASON_CALLBACK, REASON_PARTNER, ContractRun
from outlook_contract.routes import Route, routes

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_CAREFUL_SHARE = 5
"""A real mailbox gets one of so many examples."""
_READABLE = ("", "folder")
"""What a run that changes nothing can name: no item of its own, or a folder."""


@cache
def _generator(run: ContractRun) -> Generator:
    """The generator of a run. Reading the definition takes a second, so all checks share it."""
    mailbox, sandbox = run.mailboxes["mailbox"], run.target.sandbox
    bridge = Bridge(mailbox)
    items = Items(mailbox, run.callback_url, run.mailboxes.get("partner"), sandbox)
    return Generator(mailbox, items, document.load(bridge), bridge, careful=not run.target.is_emulator)


@pytest.mark.reads
@pytest.mark.parametrize("operation", list(routes()))
def test_generated_requests(contract: ContractRun, mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Requests that fit the definition succeed, or are 404 for deleted items; all others are refused.

    `--examples` says how many requests are generated.
    """
    route = routes()[operation]
    _skip_unless_possible(contract, route)
    examples = contract.options.examples
    if not contract.target.is_emulator:
        examples = max(1, examples // _CAREFUL_SHARE)
    try:
        _generator(contract).run(route, examples)
    except Disagreement as disagreement:
        exchange = disagreement.exchange
        mailbox.report.add(operation, "generated request", disagreement.expected, str(exchange.status))
        pytest.fail(str(disagreement), pytrace=False)


def _skip_unless_possible(run: ContractRun, route: Route) -> None:
    if run.options.read_only and (route.method != "GET" or kind_of(route) not in _READABLE):
        pytest.skip("changes the mailbox, or needs an item of its own; left out by --read-only")
    if run.target.is_emulator:
        return
    if route.is_at_root:
        pytest.skip("emulator only: needs the state of a subscription or question")
    if kind_of(route) == "invitation" and "partner" not in run.mailboxes:
        pytest.skip(REASON_PARTNER)
    if _names_a_callback(route) and not run.callback_url:
        pytest.skip(REASON_CALLBACK)


def _names_a_callback(route: Route) -> bool:
    """Whether the operation makes, changes or ends what the connector calls back for."""
    return "$subscriptions" in route.path


def test_undeclared_methods_are_refused(mailbox: Mailbox, emulator: Sandbox) -> None:
    """Each path answers 405 to the methods that it does not have, and names in `Allow` those that it has (inferred)."""
    declared: dict[str, set[str]] = {}
    for route in routes().values():
        if not route.is_at_root:
            declared.setdefault(route.path, set()).add(route.method)
    for path, methods in declared.items():
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - methods):
            exchange = mailbox.raw(method, re.sub(r"\{\w+\}", "x", path))
            mailbox.equal("(none)", f"{method} {path}", exchange.status, 405, known="unknown-route")
            allowed = set(exchange.headers.get("Allow", "").replace(" ", "").split(","))
            mailbox.holds("(none)", f"Allow of {path}", sorted(allowed), f"{sorted(methods)}", methods <= allowed)
