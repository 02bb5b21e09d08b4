"""The command `limits`: how much a sandbox lets its connections ask."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "limits", "show and set how much connections may ask")
    parsers.add_command(actions, "show", "show the limits, and what connections use of them", show)
    change_some = parsers.add_command(actions, "set", "set limits of a sandbox", change)
    change_some.add_argument(
        "limits", nargs="+", metavar="NAME=VALUE", help="a limit by its name in `limits show`; 0 lifts it"
    )


def show(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "limits")), _facts
    )


def change(arguments: argparse.Namespace) -> int:
    try:
        order = dict(_limit(one) for one in arguments.limits)
    except ValueError as error:
        arguments.usage_error(str(error))
    return output.print_response(
        arguments, request.send(arguments, "PATCH", request.sandbox_path(arguments, "limits"), order), _facts
    )


def _limit(word: str) -> tuple[str, int]:
    """A limit's name and value. Raises ValueError."""
    name, separator, value = word.partition("=")
    if not (name and separator and value.isascii() and value.isdigit()):
        raise ValueError(f"a limit is set by its name and a whole number, as calls=300, not '{word}'")
    return name, int(value)


def _facts(limits: Any) -> Iterator[str]:
    connections = limits.get("connections", [])
    yield from output.fields({name: value for name, value in limits.items() if name != "connections"})
    if connections:
        yield ""
        yield from output.table(connections, {name.upper(): name for name in connections[0]})
