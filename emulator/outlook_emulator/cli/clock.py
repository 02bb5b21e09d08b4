"""The command `clock`: show, move, freeze and release the clock of a sandbox."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request

_ORDERS: dict[str, dict[str, Any]] = {"freeze": {"freeze": True}, "follow": {"freeze": False}}
"""What the admin API is told for each thing to do to a clock that needs no value."""


def add(commands: Any) -> None:
    clock = parsers.add_command(commands, "clock", "show, move, freeze or release the clock of a sandbox", change)
    clock.add_argument("action", nargs="?", default="show", choices=("show", "advance", "set", *_ORDERS))
    clock.add_argument("value", nargs="?", help="to advance: a duration, as 1h30m or PT90M; to set: an ISO instant")


def change(arguments: argparse.Namespace) -> int:
    moves = arguments.action in ("advance", "set")
    if moves != (arguments.value is not None):
        arguments.usage_error(f"{arguments.action} takes {'a' if moves else 'no'} value")
    path = request.sandbox_path(arguments, "clock")
    if arguments.action == "show":
        return output.print_response(arguments, request.send(arguments, "GET", path), facts)
    order = _ORDERS.get(arguments.action) or {arguments.action: arguments.value}
    return output.print_response(arguments, request.send(arguments, "POST", path, order), facts)


def facts(clock: Any) -> Iterator[str]:
    """One line about a clock."""
    ahead = f", {clock['shiftSeconds']:g} s ahead" if clock["shiftSeconds"] else ""
    yield f"{clock['now']} {clock['mode']}{ahead}"
