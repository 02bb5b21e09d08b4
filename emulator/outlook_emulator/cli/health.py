"""The command `health`, which says by its exit code whether an emulator answers."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import client as asking


def add(commands: Any) -> None:
    command = commands.add_parser("health", help="tell whether a running emulator answers")
    asking.options(command, sandbox=False)
    command.set_defaults(run=check)


def check(given: argparse.Namespace) -> int:
    status, content = asking.ask(given, "GET", "/readyz", patience=client.PATIENCE)
    if status == 200:
        return 0
    return asking.fail(f"{given.url} does not answer: {content.decode(errors='replace')}")
