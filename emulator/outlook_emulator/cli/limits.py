"""The command `limits`: how much a sandbox lets its connections ask."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text


def add(commands: Any) -> None:
    actions = asking.group(commands, "limits", "show and set how much connections may ask")
    asking.action(actions, "show", "show the limits, and what connections use of them", show)
    change_some = asking.action(actions, "set", "set limits of a sandbox", change)
    change_some.add_argument(
        "limits", nargs="+", metavar="NAME=VALUE", help="a limit by its name in `limits show`; 0 lifts it"
    )


def show(given: argparse.Namespace) -> int:
    return asking.tell(given, asking.ask(given, "GET", asking.within(given, "limits")), _facts)


def change(given: argparse.Namespace) -> int:
    try:
        order = dict(_limit(one) for one in given.limits)
    except ValueError as error:
        given.misused(str(error))
    return asking.tell(given, asking.ask(given, "PATCH", asking.within(given, "limits"), order), _facts)


def _limit(word: str) -> tuple[str, int]:
    """A limit's name and value. Raises ValueError."""
    name, separator, value = word.partition("=")
    if not (name and separator and value.isascii() and value.isdigit()):
        raise ValueError(f"a limit is set by its name and a whole number, as calls=300, not '{word}'")
    return name, int(value)


def _facts(limits: Any) -> Iterator[str]:
    connections = limits.get("connections", [])
    yield from text.facts({name: value for name, value in limits.items() if name != "connections"})
    if connections:
        yield ""
        yield from text.table(connections, {name.upper(): name for name in connections[0]})
