"""The command `exec`: run another command with an emulator of its own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import serve


def add(commands: Any) -> None:
    about = "run a command with an emulator of its own, which stops when the command ends"
    usage = "outlook-emulator exec [OPTION OF serve ...] -- COMMAND ..."
    description = (
        f"{about}. The command finds the emulator's URL in ${client.URL}, a connection in $OUTLOOK_CONNECTION_URL, and"
        " a token endpoint where Azure's libraries look for it; with --tls, certificates to trust."
    )
    command = commands.add_parser("exec", help=about, description=description, usage=usage)
    serve.setting_options(command)
    # Takes the words of a command without `--`, for an error that says where the command belongs.
    command.add_argument("stray", nargs="*", help=argparse.SUPPRESS)
    command.set_defaults(run=run, usage_error=command.error)


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Split the command line into the emulator's own part and the command that `exec` runs."""
    # Not left to argparse, whose versions treat `--` differently.
    if words[:1] != ["exec"] or "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def run(arguments: argparse.Namespace) -> int:
    from outlook_emulator.cli import run_with

    if arguments.stray or not arguments.command:
        arguments.usage_error("put the command after --, for example: outlook-emulator exec -- pytest")
    return run_with.run(arguments)
