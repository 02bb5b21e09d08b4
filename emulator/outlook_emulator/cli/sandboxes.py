"""The commands `sandbox`, `seed` and `reset`: worlds made, filled, carried elsewhere, started over and ended."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import files, output, parsers, request

_FILE_TYPE = "application/vnd.sqlite3"


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "sandbox", "list, make, show, end and carry sandboxes")
    parsers.add_command(actions, "list", "list the sandboxes", list_all, sandbox=False)
    create = parsers.add_command(actions, "create", "make a sandbox", make, sandbox=False)
    create.add_argument("name", help="its name")
    create.add_argument(
        "--connection", action="append", default=[], metavar="ID[=ADDRESS]", help="a connection to begin with"
    )
    create.add_argument(
        "--seed", action="append", default=[], metavar="SAMPLE", help="a sample mailbox, behind the id NAME-SAMPLE"
    )
    create.add_argument("--at", metavar="INSTANT", help="what its clock shows first (default: the server's time)")
    create.add_argument("--freeze", action="store_true", default=None, help="its clock stands still")
    show = parsers.add_command(actions, "show", "show a sandbox", show_one, sandbox=False)
    show.add_argument("sandbox", nargs="?", default="default", metavar="name", help="its name (default: default)")
    delete = parsers.add_command(actions, "delete", "delete a sandbox and all it holds", end, sandbox=False)
    delete.add_argument("sandbox", metavar="name", help="its name")
    export = parsers.add_command(actions, "export", "write a sandbox to one file", carry_out)
    export.add_argument("file", help="the file to write, - for standard output")
    bring = parsers.add_command(actions, "import", "make a sandbox be what a file holds", bring_in)
    bring.add_argument("file", help="a file that export wrote, - for standard input")
    about = "what its connection ids begin with from now on, so that they are free here"
    bring.add_argument("--connection-prefix", metavar="TEXT", help=about)
    seed = parsers.add_command(commands, "seed", "load a sample mailbox into a running emulator", load_sample)
    seed.add_argument("name", help="a sample's name")
    seed.add_argument("--connection", default="", help="connection id to load it under (default: its name)")
    about = "start a sandbox over: keep connections, reload samples, drop the rest"
    parsers.add_command(commands, "reset", about, start_over)


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.path("sandboxes"))
    return output.print_response(
        arguments, answer, lambda all: output.table(all["value"], {"NAME": "name", "CONNECTIONS": "connections"})
    )


def make(arguments: argparse.Namespace) -> int:
    order = {
        "name": arguments.name,
        "connections": [_connection(one) for one in arguments.connection],
        "seeds": arguments.seed,
    }
    if clock := request.without_none({"set": arguments.at, "freeze": arguments.freeze}):
        order["clock"] = clock
    return output.print_response(arguments, request.send(arguments, "POST", request.path("sandboxes"), order), facts)


def _connection(word: str) -> dict[str, str]:
    id, separator, address = word.partition("=")
    return {"id": id, "address": address} if separator else {"id": id}


def show_one(arguments: argparse.Namespace) -> int:
    return output.print_response(arguments, request.send(arguments, "GET", request.sandbox_path(arguments)), facts)


def end(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "DELETE", request.sandbox_path(arguments))
    return output.print_response(arguments, answer, lambda nothing: [f"deleted sandbox {arguments.sandbox}"])


def carry_out(arguments: argparse.Namespace) -> int:
    status, content = request.send(arguments, "GET", request.sandbox_path(arguments, "export"))
    if status != 200:
        return output.print_error(arguments, (status, content))
    files.write(arguments.file, content)
    if arguments.file != "-" and not arguments.json:
        print(f"wrote sandbox {arguments.sandbox} to {arguments.file} ({output.count(len(content), 'byte')})")
    return 0


def bring_in(arguments: argparse.Namespace) -> int:
    content = files.read(arguments.file)
    path = request.sandbox_path(arguments, "import") + request.query({"connectionPrefix": arguments.connection_prefix})
    return output.print_response(
        arguments, request.send(arguments, "POST", path, content, content_type=_FILE_TYPE), facts
    )


def load_sample(arguments: argparse.Namespace) -> int:
    order = {"name": arguments.name, "connection": arguments.connection or None}
    return output.print_response(
        arguments,
        request.send(arguments, "POST", request.sandbox_path(arguments, "seed"), order),
        lambda made: [f"{made['id']}  {made['address']}  {made['runtimeUrl']}"],
    )


def start_over(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "POST", request.sandbox_path(arguments, "reset")), facts
    )


def facts(sandbox: Any) -> Iterator[str]:
    """One line about a sandbox."""
    yield f"sandbox {output.cell(sandbox['name'])} with connections: {output.cell(sandbox['connections'])}"
