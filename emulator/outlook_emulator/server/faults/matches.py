"""What a rule is about: read from a plan, and held against the operations there are.

A rule that can never meet a call is refused: where it is a typo, its test would pass for the wrong reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args, get_origin

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox.access import check_connection_id
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.polling import SCOPE
from outlook_emulator.server.faults.effects import named_fault
from outlook_emulator.server.name_checks import check_names
from outlook_emulator.traffic.call_facts import Match, folded, meet, patterns
from outlook_emulator.wire.base import is_shape, members_of, unwrap

_LONGEST_PATH = 1000


def read_match(sandboxes: Sandboxes, sandbox: Sandbox, rule: Mapping[str, Any]) -> Match:
    """The calls that a rule means, of the operations that its faults can happen to.

    Raises InvalidRequest for unknown names and for a match that fits no call, NotFound for an unknown connection.
    """
    given = rule.get("match", {})
    if "connection" in given:
        _check_connection(sandboxes, sandbox, given["connection"])
    found = _narrowed(given)
    faults = [one for one in map(named_fault, _effects(rule)) if one is not None]
    for fault in faults:
        found = _kept(found, fault.applies, f"the fault '{fault.name}'")
    if any(fault.name == "trigger-delayed" for fault in faults):
        found = _kept(found, partial(_tells, given), "a query that a poke tells")
    restricted = any(fault.families for fault in faults)
    named = [one.lower() for one in given.get("operation", ())]
    return Match(
        connection=given.get("connection"),
        operations=frozenset(one.id.lower() for one in found) if restricted else frozenset(named),
        family=given.get("family"),
        method=given.get("method"),
        path=given.get("path"),
        query=patterns("query", given.get("query", {})),
        body=patterns("body", given.get("body", {})),
    )


def _tells(given: Mapping[str, Any], operation: Operation) -> bool:
    """Whether what a trigger finds can be compared with a match. Raises InvalidRequest for a body."""
    if "body" in given:
        raise InvalidRequest("'body' does not go with 'trigger-delayed': what a trigger finds is no call.")
    return "query" not in given or operation.kind is Kind.POLL


def _effects(rule: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    effects: Sequence[Mapping[str, Any]] = rule["sequence"] if "sequence" in rule else [rule["effect"]]
    return effects


def _narrowed(given: Mapping[str, Any]) -> list[Operation]:
    """The operations that a match can be about. Raises InvalidRequest where one of its members leaves none."""
    check_names(given)
    found = list(OPERATIONS)
    if "operation" in given:
        wanted = {one.lower() for one in given["operation"]}
        found = [one for one in found if one.id.lower() in wanted]
    if "family" in given:
        found = _kept(found, lambda one: one.family.lower() == given["family"].lower(), "'family'")
    if "method" in given:
        found = _kept(found, lambda one: one.method == given["method"].upper(), f"'method' {given['method'][:20]}")
    if len(given.get("path", "")) > _LONGEST_PATH:
        raise InvalidRequest(f"'path' must have {_LONGEST_PATH} characters at most.")
    if "path" in given:
        found = _kept(found, lambda one: _has_path(one, given["path"]), f"'path' {given['path'][:200]}")
    for name in given.get("query", {}):
        found = _kept(found, partial(_has_query, name), f"the query parameter '{name[:100]}'")
    for name in given.get("body", {}):
        found = _kept(found, partial(_has_member, name), f"the body's member '{name[:100]}'")
    return found


def _kept(found: list[Operation], fits: Callable[[Operation], bool], what: str) -> list[Operation]:
    kept = [one for one in found if fits(one)]
    if not kept:
        among = f" among {', '.join(one.id for one in found[:3])}" if len(found) <= 3 else ""
        raise InvalidRequest(f"The rule can match nothing: no operation{among} has {what}.")
    return kept


def _has_path(operation: Operation, pattern: str) -> bool:
    # An id with a slash in it is given by a star: were ids taken to have them, hardly any misspelt path were noticed.
    return meet(operation.path, pattern)


def _has_query(name: str, operation: Operation) -> bool:
    if operation.cursor is not None and name.lower() in (operation.cursor.lower(), SCOPE.lower()):
        return True
    return any(one.name.lower() == name.lower() and one.schema.location == "query" for one in operation.parameters)


def _has_member(name: str, operation: Operation) -> bool:
    """Whether a body may hold something under a name with dots."""
    shape = operation.body_shape
    for part in name.split("."):
        if shape is None or shape is Any:
            return shape is Any
        members = {folded(one): hint for one, hint in members_of(shape).items()}
        if folded(part) not in members:
            return False
        shape = _inside(members[folded(part)])
    return True


def _inside(hint: Any) -> Any:
    """The shape of what a member holds, or of what is in its list; None where it has no members of its own."""
    plain = unwrap(hint)[0]
    if get_origin(plain) is list:
        plain = unwrap(get_args(plain)[0])[0]
    return plain if is_shape(plain) or plain is Any else None


def _check_connection(sandboxes: Sandboxes, sandbox: Sandbox, id: str) -> None:
    """Refuse a connection that can never call this sandbox."""
    check_connection_id(id)
    if id in sandbox.connections():
        return
    makes_them = sandboxes.settings.unknown_connections == "create" and sandbox is sandboxes.default
    if not makes_them or id in sandboxes.connection_ids():
        raise NotFound(f"The rule can match nothing: the sandbox '{sandbox.name}' has no connection '{id}'.")
