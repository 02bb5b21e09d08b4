"""The commands `connections list` and `connections add`; `logic_apps` has the other actions of the group."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import logic_apps, output, parsers, request

_COLUMNS: dict[str, Any] = {"ID": "id", "ADDRESS": "address", "NAME": "displayName", "RUNTIME URL": "runtimeUrl"}


def add(commands: Any) -> None:
    about = "list and add connections; point a Logic Apps project at an emulator and back"
    actions = parsers.add_group(commands, "connections", about)
    parsers.add_command(actions, "list", "list the connections of a sandbox", list_connections)
    about = "add a connection, and a mailbox if the address has none"
    command = parsers.add_command(actions, "add", about, add_connection)
    command.add_argument("id", nargs="?", help="connection id (default: a random id)")
    command.add_argument("--address", help="address of the owner (default: derived from the id)")
    command.add_argument("--display-name", metavar="NAME", help="display name of the owner")
    command.add_argument(
        "--send-as", action="append", metavar="ADDRESS", help="an address that the owner may send as; may be repeated"
    )
    command.add_argument(
        "--project", metavar="FILE", help="add it also to this connections.json of a Logic Apps Standard project"
    )
    command.add_argument("--name", default="outlook", help="its name in the project (default: outlook)")
    logic_apps.add_key(command)
    logic_apps.add(actions)


def list_connections(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "GET", request.sandbox_path(arguments, "connections"))
    return output.print_response(arguments, response, lambda connections: output.table(connections["value"], _COLUMNS))


def add_connection(arguments: argparse.Namespace) -> int:
    if arguments.project is not None:
        return logic_apps.guarded(_add_to_project, arguments)
    return output.print_response(arguments, _add(arguments), lambda connection: [line(connection)])


def _add(arguments: argparse.Namespace) -> tuple[int, bytes]:
    members = {
        "id": arguments.id,
        "address": arguments.address,
        "displayName": arguments.display_name,
        "sendAs": arguments.send_as,
    }
    path = request.sandbox_path(arguments, "connections")
    return request.send(arguments, "POST", path, request.without_none(members))


def _add_to_project(arguments: argparse.Namespace) -> int:
    """Add a connection to the emulator, and then to a project; raises PatchError."""
    from pathlib import Path

    from outlook_emulator.logic_apps import connections

    file = Path(arguments.project)
    # Before the emulator has a connection that no project uses.
    connections.check_addable(file, arguments.name)
    response = _add(arguments)

    def render(connection: output.Row) -> list[str]:
        edits = connections.add(file, arguments.name, connection["runtimeUrl"], logic_apps.key_of(arguments))
        return [line(connection), *logic_apps.edit_lines(edits)]

    return output.print_response(arguments, response, render)


def line(connection: output.Row) -> str:
    """One line about a connection."""
    return f"{connection['id']}  {connection['address']}  {connection['runtimeUrl']}"
