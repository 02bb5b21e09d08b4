"""Which requests a fault rule applies to: read from its options and checked against the operations of the connector.

A rule that can never match a request is rejected: with a typo in its rule, a test would pass for the wrong reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, get_args, get_origin

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.ids import check_connection_id
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.faults.effects import named_fault
from outlook_emulator.server.name_checks import check_names
from outlook_emulator.traffic.call_facts import Match, folded, match_of, meet
from outlook_emulator.traffic.fault_plan import FaultMatch, FaultRule
from outlook_emulator.wire.base import is_shape, members_of, unwrap

_LONGEST_PATH = 1000


def read_match(sandboxes: Sandboxes, sandbox: Sandbox, rule: FaultRule) -> Match:
    """The requests that a rule applies to, limited to the operations that its faults can happen to.

    Raises InvalidRequest for unknown names and for a match that no request can meet, NotFound for an unknown
    connection.
    """
    options = rule.match
    if options.connection is not None:
        _check_connection(sandboxes, sandbox, options.connection)
    operations = _matching_operations(options)
    effects = [rule.effect] if rule.effect is not None else list(rule.sequence or ())
    faults = [fault for fault in map(named_fault, effects) if fault is not None]
    for fault in faults:
        operations = _keep(operations, fault.applies, f"the fault '{fault.name}'")
    if any(fault.name == "trigger-delayed" for fault in faults):
        operations = _keep_delayed(operations, options)
    restricted = any(fault.families for fault in faults)
    if restricted:
        # Only where a fault restricts them: other rules also apply to requests that no operation matches.
        options = replace(options, operation=tuple(operation.id for operation in operations))
    return replace(
        match_of(options),
        filled=frozenset(fault.parameter for fault in faults if fault.parameter),
        unless={name: value for fault in faults for name, value in fault.unless.items()},
    )


def _keep_delayed(operations: list[Operation], options: FaultMatch) -> list[Operation]:
    """The operations whose trigger results can be compared with a match. Raises InvalidRequest."""
    if options.body is not None:
        raise InvalidRequest("'body' cannot be combined with 'trigger-delayed': the result of a trigger has no body.")
    if options.query is None:
        return operations
    return _keep(operations, lambda operation: operation.kind is Kind.POLL, "a query for its notifications")


def _matching_operations(options: FaultMatch) -> list[Operation]:
    """The operations that a match can mean. Raises InvalidRequest where one of its options leaves none."""
    check_names(options.operation, options.family)
    operations = list(OPERATIONS)
    if options.operation is not None:
        ids = {id.lower() for id in options.operation}
        operations = [operation for operation in operations if operation.id.lower() in ids]
    if options.family is not None:
        family = options.family.lower()
        operations = _keep(operations, lambda operation: operation.family.lower() == family, "'family'")
    if options.method is not None:
        method = options.method.upper()
        operations = _keep(operations, lambda operation: operation.method == method, f"'method' {options.method[:20]}")
    if options.path is not None:
        if len(options.path) > _LONGEST_PATH:
            raise InvalidRequest(f"'path' must have at most {_LONGEST_PATH} characters.")
        operations = _keep(operations, partial(_has_path, options.path), f"'path' {options.path[:200]}")
    for name in options.query or {}:
        operations = _keep(operations, partial(_has_query, name), f"the query parameter '{name[:100]}'")
    for name in options.body or {}:
        operations = _keep(operations, partial(_has_member, name), f"the body member '{name[:100]}'")
    return operations


def _keep(operations: list[Operation], fits: Callable[[Operation], bool], what: str) -> list[Operation]:
    kept = [operation for operation in operations if fits(operation)]
    if not kept:
        ids = ", ".join(operation.id for operation in operations)
        among = f" among {ids}" if len(operations) <= 3 else ""
        raise InvalidRequest(f"The rule can match nothing: no operation{among} has {what}.")
    return kept


def _has_path(pattern: str, operation: Operation) -> bool:
    # An id with a slash needs a star: if a `{name}` could stand for slashes, hardly any misspelt path would be noticed.
    return meet(operation.path, pattern)


def _has_query(name: str, operation: Operation) -> bool:
    # The state of a poll is no declared parameter, but it is part of the query.
    if operation.cursor is not None and name.lower() == operation.cursor.lower():
        return True
    return any(
        parameter.name.lower() == name.lower() and parameter.schema.location == "query"
        for parameter in operation.parameters
    )


def _has_member(name: str, operation: Operation) -> bool:
    """Whether a request body can have a member with this dotted name."""
    shape = operation.body_shape
    for part in name.split("."):
        # A body without a declared shape can have any member.
        if shape is None or shape is Any:
            return shape is Any
        members = {folded(member): hint for member, hint in members_of(shape).items()}
        if folded(part) not in members:
            return False
        shape = _nested_shape(members[folded(part)])
    return True


def _nested_shape(hint: Any) -> Any:
    """The shape of a member or of the items of its list; None if it has no members."""
    plain = unwrap(hint)[0]
    if get_origin(plain) is list:
        plain = unwrap(get_args(plain)[0])[0]
    return plain if is_shape(plain) or plain is Any else None


def _check_connection(sandboxes: Sandboxes, sandbox: Sandbox, id: str) -> None:
    """Raise NotFound for a connection that can never reach this sandbox."""
    check_connection_id(id)
    if id in sandbox.connections():
        return
    # In the default sandbox, a request may still create the connection.
    creates_connections = sandboxes.settings.unknown_connections == "create" and sandbox is sandboxes.default
    if not creates_connections or id in sandboxes.connection_ids():
        raise NotFound(f"The rule can match nothing: the sandbox '{sandbox.name}' has no connection '{id}'.")
