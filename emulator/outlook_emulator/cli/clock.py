"""The command `clock`: show, move, freeze and release the clock of a sandbox."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request

_CHANGES: dict[str, dict[str, Any]] = {"freeze": {"freeze": True}, "follow": {"freeze": False}}
"""The JSON of each action that needs no value."""


def add(commands: Any) -> None:
    clock = parsers.add_command(commands, "clock", "show, move, freeze or release the clock of a sandbox", run)
    clock.add_argument(
        "action",
        nargs="?",
        default="show",
        choices=("show", "advance", "set", *_CHANGES),
        help="what to do (default: show)",
    )
    clock.add_argument(
        "value", nargs="?", help="for advance: a duration such as 1h30m or PT90M; for set: an ISO 8601 instant"
    )


def run(arguments: argparse.Namespace) -> int:
    needs_value = arguments.action in ("advance", "set")
    if needs_value != (arguments.value is not None):
        arguments.usage_error(f"{arguments.action} takes {'a' if needs_value else 'no'} value")
    path = request.sandbox_path(arguments, "clock")
    if arguments.action == "show":
        return output.print_response(arguments, request.send(arguments, "GET", path), _state)
    change = _CHANGES.get(arguments.action) or {arguments.action: arguments.value}
    return output.print_response(arguments, request.send(arguments, "POST", path, change), _state)


def _state(clock: Any) -> Iterator[str]:
    ahead = f", {clock['shiftSeconds']:g} s ahead" if clock["shiftSeconds"] else ""
    yield f"{clock['now']} {clock['mode']}{ahead}"
