"""The commands `connections patch` and `connections restore`: point a Logic Apps Standard project at an emulator."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from outlook_emulator import client
from outlook_emulator.cli import output

if TYPE_CHECKING:
    from outlook_emulator.logic_apps.connections import Patch


def add(actions: Any) -> None:
    about = "point the connections.json of a Logic Apps Standard project at an emulator"
    patch = actions.add_parser("patch", help=about, description=f"{about}. Keeps the original files beside it.")
    patch.add_argument("file", help="the project's connections.json")
    patch.add_argument("--settings", metavar="FILE", help="its app settings (default: local.settings.json beside it)")
    patch.add_argument(
        "--connection", metavar="NAME", help="only this connection (default: all connections of the API outlook)"
    )
    patch.add_argument("--url", default=client.server_url(), help=f"URL of the emulator (${client.URL})")
    patch.add_argument("--dry-run", action="store_true", help="only show the changes")
    patch.set_defaults(run=patch_project)
    restore = actions.add_parser("restore", help="restore the files that patch changed, byte for byte")
    restore.add_argument("file", help="the project's connections.json")
    restore.set_defaults(run=restore_project)
    for command in (patch, restore):
        command.add_argument("--force", action="store_true", help="overwrite files that were edited since")
        command.add_argument("--json", action="store_true", help="print the changes as JSON")


def patch_project(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections, file_backup

    settings = None if arguments.settings is None else Path(arguments.settings)
    try:
        patch = connections.patch(
            Path(arguments.file),
            arguments.url,
            connection=arguments.connection,
            settings=settings,
            force=arguments.force,
        )
        if not arguments.dry_run:
            file_backup.write(patch.writes)
    except file_backup.PatchError as error:
        return output.fail(str(error))
    _print_patch(arguments, patch)
    return 0


def _print_patch(arguments: argparse.Namespace, patch: Patch) -> None:
    if arguments.json:
        print(json.dumps({"dryRun": arguments.dry_run, "value": [edit._asdict() for edit in patch.edits]}, indent=1))
        return
    for edit in patch.edits:
        print(output.cell(f"{edit.file}: {edit.what}: {edit.before} -> {edit.after}"))
    if not patch.edits:
        print(f"{arguments.file} points at {arguments.url} already")
    elif arguments.dry_run:
        print("dry run: no file was changed")
    else:
        print(f"`outlook-emulator connections restore {arguments.file}` undoes this")


def restore_project(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections, file_backup

    try:
        files = [str(path) for path in connections.restore(Path(arguments.file), force=arguments.force)]
    except file_backup.PatchError as error:
        return output.fail(str(error))
    if arguments.json:
        print(json.dumps({"value": files}, indent=1))
        return 0
    for file in files:
        print(f"restored {file}")
    return 0
