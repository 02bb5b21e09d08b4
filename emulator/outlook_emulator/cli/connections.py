"""The command `connections`, as far as it asks an emulator: list and add."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text
from outlook_emulator.cli import patching

_COLUMNS: dict[str, Any] = {"ID": "id", "ADDRESS": "address", "NAME": "displayName", "RUNTIME URL": "runtimeUrl"}


def add(commands: Any) -> None:
    about = "list and add connections; point a Logic Apps project at an emulator, and back"
    actions = asking.group(commands, "connections", about)
    asking.action(actions, "list", "list the connections of a sandbox", list_all)
    more = asking.action(actions, "add", "add a connection, and its mailbox where the address has none", add_one)
    more.add_argument("id", nargs="?", help="its id (default: one is made up)")
    more.add_argument("--address", help="the owner's address (default: made from the id)")
    more.add_argument("--display-name", metavar="NAME", help="the owner's name")
    more.add_argument("--send-as", action="append", metavar="ADDRESS", help="an address the owner may send as")
    patching.add(actions)


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "connections"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _COLUMNS))


def add_one(given: argparse.Namespace) -> int:
    wanted = {
        "id": given.id,
        "address": given.address,
        "displayName": given.display_name,
        "sendAs": given.send_as,
    }
    order = asking.given_members(wanted)
    answer = asking.ask(given, "POST", asking.within(given, "connections"), order)
    return asking.tell(given, answer, lambda made: [f"{made['id']}  {made['address']}  {made['runtimeUrl']}"])
