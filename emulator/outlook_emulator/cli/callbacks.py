"""The command `callbacks`: who was called, and who is still to be."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text

_COLUMNS: dict[str, Any] = {
    "ID": "id",
    "KIND": "kind",
    "STATE": "state",
    "ATTEMPTS": "attempts",
    "LAST": lambda one: one["lastStatus"] or one["lastError"],
    "DUE": "dueAt",
    "URL": "url",
}


def add(commands: Any) -> None:
    asking.action(commands, "callbacks", "list the calls that a sandbox made or has to make", list_all)


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "callbacks"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _COLUMNS))
