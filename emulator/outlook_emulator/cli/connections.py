"""The command `connections`, as far as it asks an emulator: list and add."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import logic_apps, output, parsers, request

_COLUMNS: dict[str, Any] = {"ID": "id", "ADDRESS": "address", "NAME": "displayName", "RUNTIME URL": "runtimeUrl"}


def add(commands: Any) -> None:
    about = "list and add connections; point a Logic Apps project at an emulator, and back"
    actions = parsers.add_group(commands, "connections", about)
    parsers.add_command(actions, "list", "list the connections of a sandbox", list_all)
    more = parsers.add_command(actions, "add", "add a connection, and its mailbox where the address has none", add_one)
    more.add_argument("id", nargs="?", help="its id (default: one is made up)")
    more.add_argument("--address", help="the owner's address (default: made from the id)")
    more.add_argument("--display-name", metavar="NAME", help="the owner's name")
    more.add_argument("--send-as", action="append", metavar="ADDRESS", help="an address the owner may send as")
    logic_apps.add(actions)


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "connections"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _COLUMNS))


def add_one(arguments: argparse.Namespace) -> int:
    wanted = {
        "id": arguments.id,
        "address": arguments.address,
        "displayName": arguments.display_name,
        "sendAs": arguments.send_as,
    }
    order = request.without_none(wanted)
    answer = request.send(arguments, "POST", request.sandbox_path(arguments, "connections"), order)
    return output.print_response(
        arguments, answer, lambda made: [f"{made['id']}  {made['address']}  {made['runtimeUrl']}"]
    )
