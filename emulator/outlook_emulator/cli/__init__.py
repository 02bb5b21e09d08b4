"""The command `outlook-emulator`. A file for each group of commands; each imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from outlook_emulator.cli import (
    callbacks,
    clock,
    connections,
    definition,
    execute,
    faults,
    files,
    health,
    journal,
    limits,
    mail,
    questions,
    sandboxes,
    serve,
    snapshots,
)

_GROUPS = (
    *(serve, execute, definition, health),
    *(sandboxes, connections, files, mail, questions, callbacks, clock),
    *(faults, limits, journal, snapshots),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 failed, 2 misused."""
    whole = parser()
    own, command = execute.split(list(sys.argv[1:] if arguments is None else arguments))
    given = whole.parse_args(own, argparse.Namespace(command=command))
    run: Callable[[argparse.Namespace], int] | None = getattr(given, "run", None)
    if run is None:
        whole.print_help()
        return 2
    try:
        return run(given)
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line; what is parsed has a `run`, a function that takes it and gives the exit code."""
    made = argparse.ArgumentParser(
        prog="outlook-emulator", description="A local double of Microsoft's Outlook.com connector."
    )
    commands = made.add_subparsers(title="commands", metavar="COMMAND")
    for group in _GROUPS:
        group.add(commands)
    return made
