"""The command `fault`: what is to go wrong, armed, looked at and taken away."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import fault_options
from outlook_emulator.cli import format as text

_NAMES: dict[str, Any] = {"NAME": "name", "SUMMARY": "summary"}


def add(commands: Any) -> None:
    actions = asking.group(commands, "fault", "make calls go wrong")
    asking.action(actions, "names", "list the connector's own troubles that can be had by name", names, sandbox=False)
    asking.action(actions, "list", "list the faults of a sandbox and how often they acted", list_all)
    more = asking.action(actions, "add", "arm a fault, or a plan of several", arm)
    fault_options.add(more)
    show = asking.action(actions, "show", "show a fault", show_one)
    remove = asking.action(actions, "remove", "take a fault away", remove_one)
    for one in (show, remove):
        one.add_argument("name", help="the fault's name in this sandbox, as `fault list` shows it")
    asking.action(actions, "clear", "take all faults of a sandbox away", clear)


def names(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.path("faults"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _NAMES))


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "faults"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _COLUMNS))


def arm(given: argparse.Namespace) -> int:
    try:
        plan = fault_options.plan_of(given)
    except ValueError as error:
        given.misused(str(error))
    content = asking.read(given.file) if plan is None else plan
    answer = asking.ask(given, "POST", asking.within(given, "faults"), content)
    return asking.tell(given, answer, lambda all: [f"{one['name']} is {one['state']}" for one in all["value"]])


def show_one(given: argparse.Namespace) -> int:
    def facts(rule: Any) -> Iterator[str]:
        return text.facts({name: rule[name] for name in ("name", "state", "matched", "used", "rule")})

    return asking.tell(given, asking.ask(given, "GET", asking.within(given, "faults", given.name)), facts)


def remove_one(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "DELETE", asking.within(given, "faults", given.name))
    return asking.tell(given, answer, lambda nothing: [f"removed fault {given.name}"])


def clear(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "DELETE", asking.within(given, "faults"))
    return asking.tell(given, answer, lambda nothing: ["removed all faults"])


def _effect(rule: text.Row) -> Any:
    given = rule["rule"]
    return given.get("sequence") or given.get("effect")


_COLUMNS: dict[str, Any] = {
    "NAME": "name",
    "STATE": "state",
    "MATCHED": "matched",
    "USED": "used",
    "NEVER REACHED": "neverReached",
    "EFFECT": _effect,
}
