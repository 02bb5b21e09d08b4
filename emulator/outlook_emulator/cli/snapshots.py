"""The command `snapshot`: how a sandbox was, under a name, to come back to."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text
from outlook_emulator.cli import sandboxes

_COLUMNS: dict[str, Any] = {"NAME": "name", "TAKEN": "takenAt", "BYTES": "bytes"}


def add(commands: Any) -> None:
    actions = asking.group(commands, "snapshot", "save how a sandbox is, and bring it back")
    asking.action(actions, "list", "list the snapshots of a sandbox", list_all)
    for name, about, run in (
        ("save", "save how a sandbox is, in place of what was saved under that name", save),
        ("restore", "make a sandbox be again as it was", restore),
        ("delete", "delete a snapshot", delete),
    ):
        asking.action(actions, name, about, run).add_argument("name", help="the snapshot's name")


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "snapshots"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _COLUMNS))


def save(given: argparse.Namespace) -> int:
    def facts(made: Any) -> Iterator[str]:
        yield f"saved {text.cell(made['name'])} ({text.count(made['bytes'], 'byte')})"

    return asking.tell(given, asking.ask(given, "PUT", asking.within(given, "snapshots", given.name)), facts)


def restore(given: argparse.Namespace) -> int:
    path = asking.within(given, "snapshots", given.name, "restore")
    return asking.tell(given, asking.ask(given, "POST", path), sandboxes.facts)


def delete(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "DELETE", asking.within(given, "snapshots", given.name))
    return asking.tell(given, answer, lambda nothing: [f"deleted snapshot {given.name}"])
