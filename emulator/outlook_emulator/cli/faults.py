"""The command `fault`: what is to go wrong, armed, looked at and taken away."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import fault_options, files, output, parsers, request

_NAMES: dict[str, Any] = {"NAME": "name", "SUMMARY": "summary"}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "fault", "make calls go wrong")
    parsers.add_command(
        actions, "names", "list the connector's own troubles that can be had by name", names, sandbox=False
    )
    parsers.add_command(actions, "list", "list the faults of a sandbox and how often they acted", list_all)
    more = parsers.add_command(actions, "add", "arm a fault, or a plan of several", arm)
    fault_options.add(more)
    show = parsers.add_command(actions, "show", "show a fault", show_one)
    remove = parsers.add_command(actions, "remove", "take a fault away", remove_one)
    for one in (show, remove):
        one.add_argument("name", help="the fault's name in this sandbox, as `fault list` shows it")
    parsers.add_command(actions, "clear", "take all faults of a sandbox away", clear)


def names(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.path("faults"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _NAMES))


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "faults"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _COLUMNS))


def arm(arguments: argparse.Namespace) -> int:
    try:
        plan = fault_options.plan_of(arguments)
    except ValueError as error:
        arguments.usage_error(str(error))
    content = files.read(arguments.file) if plan is None else plan
    answer = request.send(arguments, "POST", request.sandbox_path(arguments, "faults"), content)
    return output.print_response(
        arguments, answer, lambda all: [f"{one['name']} is {one['state']}" for one in all["value"]]
    )


def show_one(arguments: argparse.Namespace) -> int:
    def facts(rule: Any) -> Iterator[str]:
        return output.fields({name: rule[name] for name in ("name", "state", "matched", "used", "rule")})

    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "faults", arguments.name)), facts
    )


def remove_one(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "DELETE", request.sandbox_path(arguments, "faults", arguments.name))
    return output.print_response(arguments, answer, lambda nothing: [f"removed fault {arguments.name}"])


def clear(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "DELETE", request.sandbox_path(arguments, "faults"))
    return output.print_response(arguments, answer, lambda nothing: ["removed all faults"])


def _effect(rule: output.Row) -> Any:
    source = rule["rule"]
    return source.get("sequence") or source.get("effect")


_COLUMNS: dict[str, Any] = {
    "NAME": "name",
    "STATE": "state",
    "MATCHED": "matched",
    "USED": "used",
    "NEVER REACHED": "neverReached",
    "EFFECT": _effect,
}
