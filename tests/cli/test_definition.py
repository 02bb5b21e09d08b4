"""The commands `operations` and `swagger`: the operations of the connector."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.connector.swagger import swagger
from tests.cli.commands import run

pytestmark = pytest.mark.slow


def test_operations_as_a_table() -> None:
    """The table has a line with id, method and path for each operation, and a total."""
    done = run("operations")
    *lines, total = done.stdout.splitlines()
    expected = [(row.id, row.method, row.full_path) for row in OPERATIONS]
    matches = [re.fullmatch(r"(\w+) +([A-Z]+) +(?:V\d,?)+ +(/\S+)", line) for line in lines]

    assert (0, "") == (done.returncode, done.stderr)
    assert expected == [match.groups() for match in matches if match]
    assert total == f"{len(OPERATIONS)} operations"


def test_operations_as_json() -> None:
    """The JSON output has all operations in order, with the versions of each operation's family."""
    done = run("operations", "--json")
    table: list[dict[str, Any]] = json.loads(done.stdout)
    versions = {line["id"]: line["versions"] for line in table}

    assert 0 == done.returncode
    assert [row.id for row in OPERATIONS] == [line["id"] for line in table]
    assert ([1, 2, 3], [1, 2]) == (versions["ReplyToV2"], versions["SendEmail"])


def test_swagger() -> None:
    """`swagger` prints the Swagger document generated from the operations."""
    done = run("swagger")

    assert 0 == done.returncode
    assert json.loads(json.dumps(swagger(OPERATIONS))) == json.loads(done.stdout)
