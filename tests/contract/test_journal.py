"""Journals as recordings: the calls that a test made become a contract for another server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_contract import journal
from outlook_contract.har import INJECTED, read
from outlook_emulator.settings import Settings
from outlook_emulator.testing import Connection, Server
from tests.contract.recordings import ADDRESS, CREDENTIAL, replay, secrets_in, use
from tests.contract.test_har import invalid, lacking

pytestmark = pytest.mark.slow

AGAIN = 3


def exported(connection: Connection, file: Path, *, only_distinct: bool) -> journal.Export:
    def get(path: str) -> Any:
        return connection.sandbox.admin.request("GET", f"/{path}")

    return journal.export(get, file, only_distinct=only_distinct)


def spent(connection: Connection) -> list[str]:
    """Spend a day in a mailbox, and then do the same thing some times more."""
    with httpx.Client(transport=connection.sandbox.server.transport(), trust_env=False) as http:
        ids = use(connection.url, http)
    for number in range(AGAIN):
        connection.http.post("/v2/Mail", json={"To": ADDRESS, "Subject": f"More {number}", "Body": "x"})
        connection.http.get("/v2/Mail", params={"fetchOnlyUnread": False})
    return [*ids, connection.id]


@pytest.mark.parametrize("only_distinct", [False, True])
def test_a_journal_plays_against_another_server(tmp_path: Path, only_distinct: bool) -> None:
    """A journal becomes a valid recording without secrets that plays without a difference elsewhere."""
    file = tmp_path / "a.har"
    with Server.in_process(Settings(authorization=CREDENTIAL)) as server:
        connection = server.connect("ada", ADDRESS)
        ids = spent(connection)
        export = exported(connection, file, only_distinct=only_distinct)

    assert (15 + 2 * AGAIN, 0) == (export.total, export.cut)
    assert [] == lacking(json.loads(file.read_bytes()))
    assert [] == secrets_in(file, ids)
    assert [] == replay(file)
    assert (export.written < export.total) == only_distinct


def test_a_validator_accepts_a_journal(tmp_path: Path) -> None:
    """An exported journal meets the public schema of HAR 1.2, with an injected response and a cut body as well."""
    file = tmp_path / "a.har"
    with Server.in_process(Settings(authorization=CREDENTIAL, journal_body_bytes=300)) as server:
        connection = server.connect("ada", ADDRESS)
        spent(connection)
        connection.sandbox.faults.add(status=503)
        connection.http.get("/testconnection")
        assert exported(connection, file, only_distinct=False).cut
    assert "" == invalid(file)


def test_a_fault_is_no_part_of_the_contract(tmp_path: Path) -> None:
    """A response that a fault made is in the whole recording, with a comment, and never played."""
    files = [tmp_path / "all.har", tmp_path / "distinct.har"]
    with Server.in_process() as server:
        connection = server.connect("ada", ADDRESS)
        connection.http.get("/testconnection")
        connection.sandbox.faults.add(status=503)
        connection.http.get("/testconnection")
        whole, distinct = (exported(connection, file, only_distinct=file is files[1]) for file in files)
    comments = [entry.get("comment", "") for entry in json.loads(files[0].read_bytes())["log"]["entries"]]

    assert (2, 1) == (whole.written, distinct.written)
    assert [False, True] == [comment.startswith(INJECTED) for comment in comments]
    assert [200] == [exchange.status for exchange in read(files[0])]


def test_a_cut_body_is_reported(tmp_path: Path) -> None:
    """The journal keeps a part of a large body only; the export says so."""
    with Server.in_process(Settings(journal_body_bytes=100)) as server:
        connection = server.connect("ada", ADDRESS)
        connection.http.get("/Mail/nope")
        export = exported(connection, tmp_path / "a.har", only_distinct=False)

    assert journal.Export(1, 1, 1) == export
