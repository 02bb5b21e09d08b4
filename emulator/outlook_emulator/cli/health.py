"""The command `health`: check that an emulator responds; the exit code is the result."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import output, parsers, request


def add(commands: Any) -> None:
    command = commands.add_parser("health", help="check that a running emulator responds")
    parsers.add_server_options(command, sandbox=False)
    command.set_defaults(run=check)


def check(arguments: argparse.Namespace) -> int:
    return max(_check_one(request.at(arguments, url)) for url in request.servers(arguments))


def _check_one(arguments: argparse.Namespace) -> int:
    # Nothing waits at the server here, so the short time-out will do.
    status, content = request.send(arguments, "GET", "/readyz", timeout=client.TIMEOUT)
    if status == 200:
        return 0
    if status:
        return output.fail(f"{arguments.url} responded with status {status}")
    return output.print_error(arguments, (status, content))
