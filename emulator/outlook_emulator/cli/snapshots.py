"""The command `snapshot`: save, list, restore and delete states of a sandbox."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request, sandboxes

_COLUMNS: dict[str, Any] = {"NAME": "name", "TAKEN": "takenAt", "BYTES": "bytes"}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "snapshot", "save and restore the state of a sandbox")
    parsers.add_command(actions, "list", "list the snapshots of a sandbox", list_snapshots)
    for name, about, run in (
        ("save", "save the state of a sandbox; replaces a snapshot of the same name", save),
        ("restore", "restore a snapshot", restore),
        ("delete", "delete a snapshot", delete),
    ):
        parsers.add_command(actions, name, about, run).add_argument("name", help="name of the snapshot")


def list_snapshots(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "GET", request.sandbox_path(arguments, "snapshots"))
    return output.print_response(arguments, response, lambda snapshots: output.table(snapshots["value"], _COLUMNS))


def save(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "PUT", request.sandbox_path(arguments, "snapshots", arguments.name))
    return output.print_response(arguments, response, _saved)


def _saved(snapshot: Any) -> Iterator[str]:
    yield f"saved {output.cell(snapshot['name'])} ({output.count(snapshot['bytes'], 'byte')})"


def restore(arguments: argparse.Namespace) -> int:
    path = request.sandbox_path(arguments, "snapshots", arguments.name, "restore")
    return output.print_response(arguments, request.send(arguments, "POST", path), sandboxes.state)


def delete(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "DELETE", request.sandbox_path(arguments, "snapshots", arguments.name))
    return output.print_response(arguments, response, lambda nothing: [f"deleted snapshot {arguments.name}"])
