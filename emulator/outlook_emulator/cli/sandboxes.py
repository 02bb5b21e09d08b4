"""The commands `sandbox`, `seed` and `reset`: worlds made, filled, carried elsewhere, started over and ended."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text

_FILE_TYPE = "application/vnd.sqlite3"


def add(commands: Any) -> None:
    actions = asking.group(commands, "sandbox", "list, make, show, end and carry sandboxes")
    asking.action(actions, "list", "list the sandboxes", list_all, sandbox=False)
    create = asking.action(actions, "create", "make a sandbox", make, sandbox=False)
    create.add_argument("name", help="its name")
    create.add_argument(
        "--connection", action="append", default=[], metavar="ID[=ADDRESS]", help="a connection to begin with"
    )
    create.add_argument(
        "--seed", action="append", default=[], metavar="SAMPLE", help="a sample mailbox, behind the id NAME-SAMPLE"
    )
    create.add_argument("--at", metavar="INSTANT", help="what its clock shows first (default: the server's time)")
    create.add_argument("--freeze", action="store_true", default=None, help="its clock stands still")
    show = asking.action(actions, "show", "show a sandbox", show_one, sandbox=False)
    show.add_argument("sandbox", nargs="?", default="default", metavar="name", help="its name (default: default)")
    delete = asking.action(actions, "delete", "delete a sandbox and all it holds", end, sandbox=False)
    delete.add_argument("sandbox", metavar="name", help="its name")
    export = asking.action(actions, "export", "write a sandbox to one file", carry_out)
    export.add_argument("file", help="the file to write, - for standard output")
    bring = asking.action(actions, "import", "make a sandbox be what a file holds", bring_in)
    bring.add_argument("file", help="a file that export wrote, - for standard input")
    about = "what its connection ids begin with from now on, so that they are free here"
    bring.add_argument("--connection-prefix", metavar="TEXT", help=about)
    seed = asking.action(commands, "seed", "load a sample mailbox into a running emulator", load_sample)
    seed.add_argument("name", help="a sample's name")
    seed.add_argument("--connection", default="", help="connection id to load it under (default: its name)")
    about = "start a sandbox over: keep connections, reload samples, drop the rest"
    asking.action(commands, "reset", about, start_over)


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.path("sandboxes"))
    return asking.tell(
        given, answer, lambda all: text.table(all["value"], {"NAME": "name", "CONNECTIONS": "connections"})
    )


def make(given: argparse.Namespace) -> int:
    order = {"name": given.name, "connections": [_connection(one) for one in given.connection], "seeds": given.seed}
    if clock := asking.given_members({"set": given.at, "freeze": given.freeze}):
        order["clock"] = clock
    return asking.tell(given, asking.ask(given, "POST", asking.path("sandboxes"), order), facts)


def _connection(word: str) -> dict[str, str]:
    id, separator, address = word.partition("=")
    return {"id": id, "address": address} if separator else {"id": id}


def show_one(given: argparse.Namespace) -> int:
    return asking.tell(given, asking.ask(given, "GET", asking.within(given)), facts)


def end(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "DELETE", asking.within(given))
    return asking.tell(given, answer, lambda nothing: [f"deleted sandbox {given.sandbox}"])


def carry_out(given: argparse.Namespace) -> int:
    status, content = asking.ask(given, "GET", asking.within(given, "export"))
    if status != 200:
        return asking.refused(given, (status, content))
    asking.write(given.file, content)
    if given.file != "-" and not given.json:
        print(f"wrote sandbox {given.sandbox} to {given.file} ({text.count(len(content), 'byte')})")
    return 0


def bring_in(given: argparse.Namespace) -> int:
    content = asking.read(given.file)
    path = asking.within(given, "import") + asking.query({"connectionPrefix": given.connection_prefix})
    return asking.tell(given, asking.ask(given, "POST", path, content, content_type=_FILE_TYPE), facts)


def load_sample(given: argparse.Namespace) -> int:
    order = {"name": given.name, "connection": given.connection or None}
    return asking.tell(
        given,
        asking.ask(given, "POST", asking.within(given, "seed"), order),
        lambda made: [f"{made['id']}  {made['address']}  {made['runtimeUrl']}"],
    )


def start_over(given: argparse.Namespace) -> int:
    return asking.tell(given, asking.ask(given, "POST", asking.within(given, "reset")), facts)


def facts(sandbox: Any) -> Iterator[str]:
    """One line about a sandbox."""
    yield f"sandbox {text.cell(sandbox['name'])} with connections: {text.cell(sandbox['connections'])}"
