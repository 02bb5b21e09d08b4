"""The command `fault`: arm, list, show and remove fault rules."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import fault_options, files, output, parsers, request

_NAMES: dict[str, Any] = {"NAME": "name", "SUMMARY": "summary"}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "fault", "make requests fail")
    parsers.add_command(
        actions, "names", "list the named faults: the known failures of the connector", names, sandbox=False
    )
    parsers.add_command(actions, "list", "list the fault rules of a sandbox, and how often they acted", list_all)
    fault_options.add(parsers.add_command(actions, "add", "arm a fault rule, or a plan of several", arm))
    show = parsers.add_command(actions, "show", "show a fault rule", show_one)
    remove = parsers.add_command(actions, "remove", "remove a fault rule", remove_one)
    for command in (show, remove):
        command.add_argument("name", help="name of the rule, as `fault list` shows it")
    parsers.add_command(actions, "clear", "remove all fault rules of a sandbox", clear)


def names(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.path("faults"))
    return output.print_response(arguments, answer, lambda faults: output.table(faults["value"], _NAMES))


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "faults"))
    return output.print_response(arguments, answer, lambda faults: output.table(faults["value"], _COLUMNS))


def arm(arguments: argparse.Namespace) -> int:
    try:
        plan = fault_options.plan_of(arguments)
    except ValueError as error:
        arguments.usage_error(str(error))
    content = files.read(arguments.file) if plan is None else plan
    answer = request.send(arguments, "POST", request.sandbox_path(arguments, "faults"), content)
    return output.print_response(
        arguments, answer, lambda armed: [f"{rule['name']} is {rule['state']}" for rule in armed["value"]]
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
