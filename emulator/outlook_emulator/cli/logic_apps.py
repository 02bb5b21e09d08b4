"""The command `connections` on files: a Logic Apps Standard project pointed at an emulator, and put back."""

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
    patch = actions.add_parser("patch", help=about, description=f"{about}. The originals are kept beside the files.")
    patch.add_argument("file", help="the project's connections.json")
    patch.add_argument("--settings", metavar="FILE", help="its app settings (default: local.settings.json beside it)")
    patch.add_argument("--connection", metavar="NAME", help="only this connection (default: all of the API outlook)")
    patch.add_argument("--url", default=client.server_url(), help=f"the emulator (${client.URL})")
    patch.add_argument("--dry-run", action="store_true", help="only show what would change")
    patch.set_defaults(run=point)
    restore = actions.add_parser("restore", help="put back what patch changed, byte for byte")
    restore.add_argument("file", help="the project's connections.json")
    restore.set_defaults(run=put_back)
    for one in (patch, restore):
        one.add_argument("--force", action="store_true", help="also where a file was changed by hand since")
        one.add_argument("--json", action="store_true", help="print what changed as JSON")


def point(arguments: argparse.Namespace) -> int:
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
    except file_backup.Refused as error:
        return output.fail(str(error))
    _tell(arguments, patch)
    return 0


def _tell(arguments: argparse.Namespace, patch: Patch) -> None:
    if arguments.json:
        print(json.dumps({"dryRun": arguments.dry_run, "value": [one._asdict() for one in patch.edits]}, indent=1))
        return
    for one in patch.edits:
        print(output.cell(f"{one.file}: {one.what}: {one.before} -> {one.after}"))
    if not patch.edits:
        print(f"{arguments.file} leads to {arguments.url} already")
    elif arguments.dry_run:
        print("nothing was changed")
    else:
        print(f"`outlook-emulator connections restore {arguments.file}` puts it back")


def put_back(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from outlook_emulator.logic_apps import connections, file_backup

    try:
        files = [str(one) for one in connections.restore(Path(arguments.file), force=arguments.force)]
    except file_backup.Refused as error:
        return output.fail(str(error))
    if arguments.json:
        print(json.dumps({"value": files}, indent=1))
        return 0
    for one in files:
        print(f"put back {one}")
    return 0
