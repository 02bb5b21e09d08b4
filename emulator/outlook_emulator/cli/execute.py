"""The command `exec`: an emulator for as long as another command runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import serve


def add(commands: Any) -> None:
    about = "run a command with an emulator of its own, which stops when the command has ended"
    usage = "outlook-emulator exec [OPTION OF serve ...] -- COMMAND ..."
    command = commands.add_parser("exec", help=about, description=f"{about}. Its URL is in ${client.URL}.", usage=usage)
    serve.setting_options(command)
    command.add_argument("stray", nargs="*", help=argparse.SUPPRESS)
    command.set_defaults(run=run, usage_error=command.error)


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What the emulator's own command line is, and the command that `exec` is to run."""
    # By hand, since versions of argparse differ in what they make of a `--`.
    if words[:1] != ["exec"] or "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def run(arguments: argparse.Namespace) -> int:
    from outlook_emulator.cli import run_with

    if arguments.stray or not arguments.command:
        arguments.usage_error("the command to run comes after --, as in: outlook-emulator exec -- pytest")
    return run_with.run(arguments)
