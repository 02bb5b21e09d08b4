"""The command `limits`: show and set the limits of a sandbox."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request
from outlook_emulator.settings import limits


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "limits", "show and set the limits of a sandbox")
    parsers.add_command(actions, "show", "show the limits, and what each connection uses of them", show)
    set_limits = parsers.add_command(actions, "set", "set limits of a sandbox until it is reset", change)
    set_limits.add_argument(
        "limits",
        nargs="+",
        metavar="NAME=VALUE",
        help=f"new value of a limit: {', '.join(limit.limit for limit in limits())}; 0: unlimited",
    )


def show(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "limits")), _facts
    )


def change(arguments: argparse.Namespace) -> int:
    try:
        changes = dict(_limit(text) for text in arguments.limits)
    except ValueError as error:
        arguments.usage_error(str(error))
    return output.print_response(
        arguments, request.send(arguments, "PATCH", request.sandbox_path(arguments, "limits"), changes), _facts
    )


def _limit(text: str) -> tuple[str, int]:
    """The name and the value of a limit. Raises ValueError."""
    name, separator, value = text.partition("=")
    if not (name and separator and value.isascii() and value.isdigit()):
        raise ValueError(f"a limit needs a name and a whole number, such as calls=300, not '{text}'")
    return name, int(value)


def _facts(shown: Any) -> Iterator[str]:
    connections = shown.get("connections", [])
    yield from output.fields({name: value for name, value in shown.items() if name != "connections"})
    if connections:
        yield ""
        yield from output.table(connections, {name.upper(): name for name in connections[0]})
