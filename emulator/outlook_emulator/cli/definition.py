"""The commands `operations` and `swagger`: what the connector has. They need no server."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(commands: Any) -> None:
    operations = commands.add_parser("operations", help="list the operations of the connector")
    operations.add_argument("--json", action="store_true", help="as JSON")
    operations.set_defaults(run=show_operations)
    swagger = commands.add_parser("swagger", help="print the connector's Swagger 2.0 document")
    swagger.set_defaults(run=show_swagger)


def show_operations(arguments: argparse.Namespace) -> int:
    from outlook_emulator.operations import OPERATIONS
    from outlook_emulator.operations.coverage import coverage

    rows = coverage(OPERATIONS)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        versions = ",".join(f"V{version}" for version in row["versions"])
        print(f"{row['id']:{width}}  {row['method']:6}  {versions:8}  {row['path']}")
    print(f"{len(rows)} operations")
    return 0


def show_swagger(arguments: argparse.Namespace) -> int:
    from outlook_emulator.operations import OPERATIONS
    from outlook_emulator.server.connector.swagger import swagger

    print(json.dumps(swagger(OPERATIONS), indent=1))
    return 0
