"""The command `callbacks`: list the requests that a sandbox sends to others."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import output, parsers, request

_COLUMNS: dict[str, Any] = {
    "ID": "id",
    "KIND": "kind",
    "STATE": "state",
    "ATTEMPTS": "attempts",
    "LAST": lambda callback: callback["lastStatus"] or callback["lastError"],
    "DUE": "dueAt",
    "URL": "url",
}


def add(commands: Any) -> None:
    parsers.add_command(commands, "callbacks", "list the callbacks of a sandbox, sent and pending", list_callbacks)


def list_callbacks(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "GET", request.sandbox_path(arguments, "callbacks"))
    return output.print_response(arguments, response, lambda callbacks: output.table(callbacks["value"], _COLUMNS))
