"""The commands `connections patch`, `status` and `restore`: point a Logic Apps Standard project at an emulator."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from outlook_emulator import client
from outlook_emulator.cli import output, progress
from outlook_emulator.settings import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from outlook_emulator.logic_apps.connections import ConnectionStatus, Edit, Status

_AUTHORIZATION = f"{ENVIRONMENT_PREFIX}AUTHORIZATION"
_FILE = "the project's connections.json, or its folder"


def add(actions: Any) -> None:
    about = "point the connections.json of a Logic Apps Standard project at an emulator"
    patch = actions.add_parser("patch", help=about, description=f"{about}. Keeps the original files.")
    patch.add_argument("file", help=_FILE)
    patch.add_argument(
        "--connection", metavar="NAME", help="only this connection (default: all connections of the API outlook)"
    )
    add_key(patch)
    patch.add_argument(
        "--webhook-host",
        metavar="URL",
        help="where the emulator reaches the workflows, for callbacks to them (default: this machine)",
    )
    patch.add_argument(
        "--no-retries", action="store_true", help="workflows do not retry calls of the connections that fail"
    )
    patch.add_argument(
        "--show-in-git", action="store_true", help="git shows the changed files as modified; without it, it hides them"
    )
    patch.add_argument("--dry-run", action="store_true", help="only show the changes")
    patch.set_defaults(run=patch_project)
    status = actions.add_parser(
        "status",
        help="show whether a Logic Apps Standard project points at an emulator",
        description="Show whether a Logic Apps Standard project points at an emulator. The exit code is 0 if it does.",
    )
    status.add_argument("file", help=_FILE)
    status.set_defaults(run=show_status)
    for command in (patch, status):
        command.add_argument("--settings", metavar="FILE", help="its app settings (default: local.settings.json)")
        command.add_argument("--url", default=client.server_url(), help=f"URL of the emulator (${client.URL})")
    restore = actions.add_parser("restore", help="restore the files that patch changed, byte for byte")
    restore.add_argument("file", help=_FILE)
    restore.add_argument(
        "--force", action="store_true", help="restore the original files, even if patched values were edited since"
    )
    restore.set_defaults(run=restore_project)
    for command in (patch, status, restore):
        command.add_argument("--json", action="store_true", help="print JSON")


def add_key(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--key",
        help=f"key of the connections, if the emulator requires a certain one (${_AUTHORIZATION})",
    )


def key_of(arguments: argparse.Namespace) -> str:
    """The key that connections to the emulator get."""
    from outlook_emulator.logic_apps.key import KEY

    key: str = arguments.key or os.environ.get(_AUTHORIZATION, "")
    return KEY if key in ("", "any", "none") else key


def guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; an error of the project is printed as one line."""
    from outlook_emulator.logic_apps.errors import PatchError

    try:
        return run(arguments)
    except PatchError as error:
        return output.fail(str(error))


def edit_lines(edits: Sequence[Edit]) -> list[str]:
    return [output.cell(f"{edit.file}: {edit.what}: {edit.before} -> {edit.after}") for edit in edits]


def patch_project(arguments: argparse.Namespace) -> int:
    return guarded(_patch, arguments)


def show_status(arguments: argparse.Namespace) -> int:
    return guarded(_status, arguments)


def restore_project(arguments: argparse.Namespace) -> int:
    return guarded(_restore, arguments)


def _patch(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections

    options = connections.Options(
        connection=arguments.connection,
        settings=None if arguments.settings is None else Path(arguments.settings),
        key=key_of(arguments),
        webhook_host=arguments.webhook_host,
        no_retries=arguments.no_retries,
        hide=not arguments.show_in_git,
        dry_run=arguments.dry_run,
    )
    with progress.shown("reading", "files") as shown:
        edits, is_hidden = connections.patch(Path(arguments.file), arguments.url, options, shown.report)
    if arguments.json:
        print(json.dumps({"dryRun": arguments.dry_run, "value": [edit._asdict() for edit in edits]}, indent=1))
        return 0
    for line in edit_lines(edits):
        print(line)
    if not edits:
        print(f"{arguments.file} points at {arguments.url} already")
    elif arguments.dry_run:
        print("dry run: no file was changed")
    else:
        print(f"`outlook-emulator connections restore {arguments.file}` undoes this")
        if is_hidden:
            print("until then, git hides the changed files")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections

    settings = None if arguments.settings is None else Path(arguments.settings)
    status = connections.status(Path(arguments.file), arguments.url, settings=settings)
    points_here = bool(status.connections) and all(connection.points_here for connection in status.connections)
    if arguments.json:
        print(json.dumps(_as_json(status, points_here), indent=1))
    else:
        for connection in status.connections:
            print(output.cell(_line(connection, arguments.url)))
        if not status.connections:
            print(f"{arguments.file} has no connection of the API outlook")
        print(_patched_line(arguments.file, status))
    return 0 if points_here else 1


def _as_json(status: Status, points_here: bool) -> dict[str, Any]:
    rows = [
        {
            "name": connection.name,
            "url": connection.url,
            "authentication": connection.authentication,
            "pointsHere": connection.points_here,
        }
        for connection in status.connections
    ]
    return {
        "pointsHere": points_here,
        "patched": status.edited is not None,
        "edited": [str(path) for path in status.edited or ()],
        "connections": rows,
    }


def _line(connection: ConnectionStatus, url: str) -> str:
    where = f"{connection.url or 'no URL'}, authentication {connection.authentication or 'missing'}"
    return f"{connection.name}: points {'here' if connection.points_here else f'not at {url}'}: {where}"


def _patched_line(file: str, status: Status) -> str:
    if status.edited is None:
        return "not patched"
    undo = f"`outlook-emulator connections restore {file}` undoes this"
    if not status.edited:
        return f"patched; {undo}"
    return f"patched, and edited since: {', '.join(str(path) for path in status.edited)}; {undo}"


def _restore(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections

    with progress.shown("reading", "files") as shown:
        files = connections.restore(Path(arguments.file), force=arguments.force, report=shown.report)
    if arguments.json:
        rows = [{"file": str(file.path), "keepsEdits": file.keeps_edits} for file in files]
        print(json.dumps({"value": rows}, indent=1))
        return 0
    for file in files:
        print(f"restored {file.path}{', with the edits made since' if file.keeps_edits else ''}")
    return 0
