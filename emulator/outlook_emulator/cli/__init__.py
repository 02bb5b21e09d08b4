"""The command `outlook-emulator`: a module for each group of commands, which imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from outlook_emulator.cli import execute, parsers, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 for success, 1 for a failure, 2 for a usage error."""
    if "_ARGCOMPLETE" in os.environ:
        from outlook_emulator.cli import completion

        completion.complete(parser())
    own, command = execute.split(list(sys.argv[1:] if arguments is None else arguments))
    root = parser(own[0] if own else "")
    # Set beforehand: argparse never sees the words after `--`, which belong to the command that `exec` runs.
    parsed = root.parse_args(own, argparse.Namespace(command=command))
    run: Callable[[argparse.Namespace], int] | None = getattr(parsed, "run", None)
    if run is None:
        root.print_help()
        return 2
    try:
        return run(parsed)
    except BrokenPipeError:
        # The reader of the output is gone. The interpreter flushes what is left at exit, and must not fail then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser(command: str = "") -> argparse.ArgumentParser:
    """The parser of the whole command line; its result has a `run`, a function that returns the exit code.

    With the name of a command it knows only that one, and is made in a fraction of the time.
    """
    root = argparse.ArgumentParser(
        prog="outlook-emulator", description="A local double of Microsoft's Outlook.com connector."
    )
    root.add_argument("--version", action=_Version, help="print the version and exit")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", parser_class=parsers.Parser)
    for group in _groups(command):
        group.add(parsers.OneCommand(commands, command) if command else commands)
    # The error about an unknown command names those that there are.
    return parser() if command and not commands.choices else root


def _groups(command: str) -> tuple[Any, ...]:
    """The modules to look for a command in: all, unless it is the one that has to start at once."""
    if command == "serve":
        return (serve,)
    from outlook_emulator.cli import (
        approvals,
        ca,
        callbacks,
        clock,
        completion,
        connections,
        contents,
        contract,
        definition,
        faults,
        health,
        init,
        items,
        journal,
        limits,
        mail,
        recordings,
        sandboxes,
        snapshots,
    )

    return (
        *(serve, execute, ca, definition, health, init, completion, contract, recordings),
        *(sandboxes, connections, items, mail, contents, approvals, callbacks, clock),
        *(faults, limits, journal, snapshots),
    )


class _Version(argparse.Action):
    """Prints the version. Unlike argparse's own action, it looks the version up only when it is used."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        import outlook_emulator

        print(f"{parser.prog} {outlook_emulator.__version__}")
        parser.exit()
