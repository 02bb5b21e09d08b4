"""The commands `sandbox`, `seed` and `reset`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from outlook_emulator import seed_folder
from outlook_emulator.cli import connections, files, output, parsers, progress, request

HOLDS = "it holds secrets: signatures in callback URLs, and the key of links in approval mails"
_FILE_TYPE = "application/vnd.sqlite3"
_COLUMNS: dict[str, Any] = {"NAME": "name", "CONNECTIONS": "connections"}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "sandbox", "list, create, show, delete, export and import sandboxes")
    parsers.add_command(actions, "list", "list the sandboxes", list_sandboxes, sandbox=False)
    create = parsers.add_command(actions, "create", "create a sandbox", create_sandbox, sandbox=False)
    create.add_argument("name", help="name of the sandbox")
    create.add_argument(
        "--connection",
        action="append",
        default=[],
        metavar="ID[=ADDRESS]",
        help="a connection to add; may be repeated",
    )
    create.add_argument(
        "--seed",
        action="append",
        default=[],
        metavar="SAMPLE",
        help="a sample mailbox to load, with the connection id NAME-SAMPLE; may be repeated",
    )
    create.add_argument("--at", metavar="INSTANT", help="start time of its clock (default: the time of the server)")
    # None, so that a request without the flag says nothing about the clock.
    create.add_argument("--freeze", action="store_true", default=None, help="freeze its clock")
    show = parsers.add_command(actions, "show", "show a sandbox", show_sandbox, sandbox=False)
    # Named as the option of other commands, from which the path is made.
    show.add_argument("sandbox", nargs="?", default="default", metavar="name", help="its name (default: default)")
    delete = parsers.add_command(actions, "delete", "delete a sandbox and its mailboxes", delete_sandbox, sandbox=False)
    delete.add_argument("sandbox", metavar="name", help="its name")
    export = parsers.add_command(actions, "export", f"write a sandbox to a file; {HOLDS}", export_sandbox)
    export.add_argument("file", help="the file to write, - for standard output")
    replace = parsers.add_command(actions, "import", "replace a sandbox by the content of a file", import_sandbox)
    replace.add_argument("file", help="a file that export wrote, - for standard input")
    replace.add_argument(
        "--connection-prefix",
        metavar="TEXT",
        help="prefix for the connection ids, to keep them unique on this server",
    )
    seed = parsers.add_command(commands, "seed", "load a sample mailbox into a running emulator", load_sample)
    seed.add_argument("name", help="name of the sample, or a folder with a mailbox.toml")
    parsers.add_strict(seed)
    seed.add_argument("--connection", default="", help="connection id for the mailbox (default: the sample's name)")
    about = "reset a sandbox: keep its connections, reload its sample mailboxes, delete everything else"
    parsers.add_command(commands, "reset", about, reset_sandbox)


def list_sandboxes(arguments: argparse.Namespace) -> int:
    servers = request.servers(arguments)
    if len(servers) > 1:
        return _list_of(arguments, servers)
    response = request.send(arguments, "GET", request.path("sandboxes"))
    return output.print_response(arguments, response, _listed)


def _listed(sandboxes: Any, more: Mapping[str, Any] = {}) -> Iterator[str]:
    rows = sandboxes["value"]
    columns = {**_COLUMNS, **more, **({"PROBLEM": "problem"} if any("problem" in row for row in rows) else {})}
    return output.table(rows, columns)


def _list_of(arguments: argparse.Namespace, servers: Sequence[str]) -> int:
    """Print the sandboxes of several servers, each with its server; a server without a list makes the exit code 1."""
    rows: list[dict[str, Any]] = []
    code = 0
    for url in servers:
        server = request.at(arguments, url)
        status, body = request.send(server, "GET", request.path("sandboxes"))
        if status == 200:
            rows += ({**row, "server": url} for row in json.loads(body)["value"])
        else:
            code = output.print_error(server, (status, body))
    rows.sort(key=lambda row: row["name"])
    gathered = json.dumps({"value": rows}).encode()
    return max(code, output.print_response(arguments, (200, gathered), lambda all: _listed(all, {"SERVER": "server"})))


def create_sandbox(arguments: argparse.Namespace) -> int:
    body: dict[str, Any] = {
        "connections": [_connection(word) for word in arguments.connection],
        "seeds": arguments.seed,
    }
    if clock := request.without_none({"set": arguments.at, "freeze": arguments.freeze}):
        body["clock"] = clock
    response = request.send(arguments, "PUT", request.path("sandboxes", arguments.name), body)
    return output.print_response(arguments, response, state)


def _connection(word: str) -> dict[str, str]:
    id, separator, address = word.partition("=")
    return {"id": id, "address": address} if separator else {"id": id}


def show_sandbox(arguments: argparse.Namespace) -> int:
    return output.print_response(arguments, request.send(arguments, "GET", request.sandbox_path(arguments)), state)


def delete_sandbox(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "DELETE", request.sandbox_path(arguments))
    return output.print_response(arguments, response, lambda nothing: [f"deleted sandbox {arguments.sandbox}"])


def export_sandbox(arguments: argparse.Namespace) -> int:
    status, content = request.send(arguments, "GET", request.sandbox_path(arguments, "export"))
    if status != 200:
        return output.print_error(arguments, (status, content))
    files.write(arguments.file, content, is_secret=True)
    if arguments.file != "-" and not arguments.json:
        print(f"wrote sandbox {arguments.sandbox} to {arguments.file} ({output.count(len(content), 'byte')}); {HOLDS}")
    return 0


def import_sandbox(arguments: argparse.Namespace) -> int:
    content = files.read(arguments.file)
    query = request.query({"connectionPrefix": arguments.connection_prefix})
    path = request.sandbox_path(arguments, "import") + query
    response = request.send(arguments, "POST", path, content, content_type=_FILE_TYPE)
    return output.print_response(arguments, response, state)


def load_sample(arguments: argparse.Namespace) -> int:
    if Path(arguments.name).is_dir():
        response = _load_folder(arguments, Path(arguments.name).resolve())
    else:
        body = {"name": arguments.name, "connection": arguments.connection or None}
        response = request.send(arguments, "POST", request.sandbox_path(arguments, "seed"), body)
    return output.print_import(arguments, response, lambda connection: [connections.line(connection)])


def _load_folder(arguments: argparse.Namespace, folder: Path) -> tuple[int, bytes]:
    try:
        with progress.shown("packing", "files") as shown:
            content = seed_folder.packed(folder, shown.count)
    except (OSError, ValueError) as error:
        raise SystemExit(output.fail(str(error))) from None
    path = request.sandbox_path(arguments, "seed-zip")
    id = arguments.connection or seed_folder.connection_id(folder)
    query = request.query({"connection": id, "strict": "true" if arguments.strict else None})
    return request.send(arguments, "POST", path + query, content, content_type=seed_folder.ZIP)


def reset_sandbox(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "POST", request.sandbox_path(arguments, "reset"))
    return output.print_response(arguments, response, state)


def state(sandbox: Any) -> Iterator[str]:
    """One line about a sandbox."""
    yield f"sandbox {output.cell(sandbox['name'])} with connections: {output.cell(sandbox['connections'])}"
    if "problem" in sandbox:
        yield f"It cannot be used: {output.cell(sandbox['problem'])}"
