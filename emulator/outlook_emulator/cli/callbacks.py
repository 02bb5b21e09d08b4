"""The command `callbacks`: who was called, and who is still to be."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import output, parsers, request

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
    parsers.add_command(commands, "callbacks", "list the calls that a sandbox made or has to make", list_all)


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "callbacks"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _COLUMNS))
