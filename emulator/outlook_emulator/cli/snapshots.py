"""The command `snapshot`: how a sandbox was, under a name, to come back to."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request, sandboxes

_COLUMNS: dict[str, Any] = {"NAME": "name", "TAKEN": "takenAt", "BYTES": "bytes"}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "snapshot", "save how a sandbox is, and bring it back")
    parsers.add_command(actions, "list", "list the snapshots of a sandbox", list_all)
    for name, about, run in (
        ("save", "save how a sandbox is, in place of what was saved under that name", save),
        ("restore", "make a sandbox be again as it was", restore),
        ("delete", "delete a snapshot", delete),
    ):
        parsers.add_command(actions, name, about, run).add_argument("name", help="the snapshot's name")


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "snapshots"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _COLUMNS))


def save(arguments: argparse.Namespace) -> int:
    def facts(made: Any) -> Iterator[str]:
        yield f"saved {output.cell(made['name'])} ({output.count(made['bytes'], 'byte')})"

    return output.print_response(
        arguments, request.send(arguments, "PUT", request.sandbox_path(arguments, "snapshots", arguments.name)), facts
    )


def restore(arguments: argparse.Namespace) -> int:
    path = request.sandbox_path(arguments, "snapshots", arguments.name, "restore")
    return output.print_response(arguments, request.send(arguments, "POST", path), sandboxes.facts)


def delete(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "DELETE", request.sandbox_path(arguments, "snapshots", arguments.name))
    return output.print_response(arguments, answer, lambda nothing: [f"deleted snapshot {arguments.name}"])
