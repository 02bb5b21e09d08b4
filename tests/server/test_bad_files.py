"""What clients see of files that cannot be used: the connector, the admin API, the pages and the command line."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.store import data_file, log
from tests.cli.commands import run
from tests.store.test_log import BusyWorker

OLD = Path(__file__).parents[1] / "store" / "old"
API = "/_emulator/api/sandboxes"


@contextmanager
def served(folder: Path, seed: str = "") -> Iterator[httpx.Client]:
    with (
        running(Settings(data=str(folder), seed=seed)) as server,
        httpx.Client(base_url=server.url, headers={"Authorization": "Bearer x"}, trust_env=False, timeout=60) as http,
    ):
        yield http


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the sandboxes good and bad, of which bad has a damaged file."""
    with served(tmp_path) as http:
        for name in ("good", "bad"):
            order = {"name": name, "connections": [{"id": f"{name}-1"}]}
            http.post(API, json=order).raise_for_status()
    (tmp_path / "bad.sqlite").write_bytes(b"Dear diary, " * 1000)
    return tmp_path


def test_connector_says_why(folder: Path) -> None:
    """A connection of the bad sandbox gets 503 with the reason in the connector's form; others are served."""
    with served(folder) as http:
        good, bad = (http.get(f"/apim/outlook/{name}-1/v2/Mail") for name in ("good", "bad"))
        body = bad.json()

    assert (200, 503, 503) == (good.status_code, bad.status_code, body["status"])
    assert "ServiceUnavailable" == body["error"]["code"]
    assert "the sandbox 'bad' cannot be used, because" in body["error"]["message"]
    assert "bad.sqlite is no readable SQLite database" in body["message"]


def test_admin_api_and_command_line_list_the_problem(folder: Path) -> None:
    """The lists name the problem; operations on the sandbox are 503, its creation 409 until it is deleted."""
    with served(folder) as http:
        listed = {row["name"]: row for row in http.get(API).json()["value"]}
        shown = http.get(f"{API}/bad").json()
        printed = run("sandbox", "list", "--url", str(http.base_url)).stdout
        page = http.get("/_emulator/", follow_redirects=True)
        answers = [
            http.post(f"{API}/bad/reset").status_code,
            http.get(f"{API}/bad/connections").status_code,
            http.post(API, json={"name": "bad"}).status_code,
            http.delete(f"{API}/bad").status_code,
            http.post(API, json={"name": "bad", "connections": [{"id": "bad-1"}]}).status_code,
            http.get("/apim/outlook/bad-1/v2/Mail").status_code,
        ]

    assert listed["bad"] == shown
    assert ["bad-1"] == shown["connections"]
    assert "no readable SQLite database" in shown["problem"]
    assert "problem" not in listed["good"]
    assert "PROBLEM" in printed
    assert "no readable SQLite database" in printed
    assert "no readable SQLite database" in page.text
    assert [503, 503, 409, 204, 201, 200] == answers


def test_bad_default_sandbox(folder: Path) -> None:
    """The server starts with seeds although its default sandbox is bad; unknown connections get 503."""
    (folder / "default.sqlite").write_bytes(b"Dear diary, " * 1000)
    with served(folder, seed="office") as http:
        statuses = [http.get(f"/apim/outlook/{id}/v2/Mail").status_code for id in ("anybody", "good-1", "office")]
        replaced = http.delete(f"{API}/default").status_code, http.get("/apim/outlook/anybody/v2/Mail").status_code

    assert ([503, 200, 503], (204, 200)) == (statuses, replaced)


def damaged_callbacks(file: Path) -> None:
    """Damage the page that holds the callbacks, which nobody reads when the file is opened."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('callback', 'subscription', 'push')"
        pages = [page for (page,) in connection.execute(query)]
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as stream:
        for page in pages:
            stream.seek((page - 1) * size)
            stream.write(b"\xff" * size)


def test_damaged_callbacks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server starts, and serves what needs no callback; the log names the sandbox."""
    order = {"name": "bad", "connections": [{"id": "bad-1"}]}
    with served(tmp_path) as http:
        http.post(API, json=order).raise_for_status()
    damaged_callbacks(tmp_path / "bad.sqlite")
    (tmp_path / ".index.json").unlink()
    with served(tmp_path) as http:
        sent = http.post("/apim/outlook/bad-1/v2/Mail", json={"To": "bad-1@outlook.com", "Subject": "a", "Body": "b"})
        listed = http.get("/apim/outlook/bad-1/v2/Mail")

    assert [200, 200] == [sent.status_code, listed.status_code]
    assert "The callbacks of the sandbox 'bad' cannot be read" in caplog.text


@pytest.mark.parametrize("way", ["deleted", "replaced", "deleted while its log is being copied"])
def test_a_lost_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Requests to a sandbox whose file was deleted or replaced meanwhile get 503 with its name, until it is back."""
    monkeypatch.setattr(data_file, "LOOK_EVERY", 0)
    if way == "deleted while its log is being copied":
        monkeypatch.setattr(log, "MANY_ROWS", 1)
        monkeypatch.setattr(log, "_worker", BusyWorker)
    file, kept = folder / "good.sqlite", folder / "good.kept"
    order = {"To": "good-1@outlook.com", "Subject": "Hello", "Body": "x"}
    with served(folder) as http:
        http.post("/apim/outlook/good-1/v2/Mail", json=order).raise_for_status()
        file.rename(kept)
        if way == "replaced":
            shutil.copy(kept, file)
        answers = [
            http.get("/apim/outlook/good-1/v2/Mail"),
            http.post("/apim/outlook/good-1/v2/Mail", json=order),
            http.get(f"{API}/good/connections"),
            http.get(f"{API}/good/export"),
        ]
        other = http.get("/apim/outlook/anybody/v2/Mail")
        kept.rename(file)
        back = http.get("/apim/outlook/good-1/v2/Mail")

    assert [503] * 4 == [answer.status_code for answer in answers]
    assert all("good.sqlite was deleted or replaced" in answer.json()["message"] for answer in answers)
    assert 200 == other.status_code
    assert ["Hello"] == [mail["Subject"] for mail in back.json()["value"]]


@pytest.mark.parametrize("version", [3, 4])
def test_older_files_are_used(tmp_path: Path, version: int) -> None:
    """A database and a snapshot of an earlier version are served, restored, exported and imported."""
    image = gzip.decompress((OLD / f"v{version}.sqlite.gz").read_bytes())
    snapshots = tmp_path / "old.snapshots"
    snapshots.mkdir()
    (tmp_path / "old.sqlite").write_bytes(image)
    (snapshots / "kept.sqlite").write_bytes(gzip.decompress((OLD / f"v{version}.snapshot.gz").read_bytes()))
    with served(tmp_path) as http:
        lists = [http.get("/apim/outlook/bob/v2/Mail", params={"fetchOnlyUnread": False, "searchQuery": "quarter"})]
        (calendar,) = http.get("/apim/outlook/ada/datasets/calendars/tables").json()["value"]
        path = f"/apim/outlook/ada/datasets/calendars/v2/tables/{calendar['Name']}/items"
        events = http.get(path).json()["value"]
        http.post(f"{API}/old/snapshots/kept/restore").raise_for_status()
        lists.append(http.get("/apim/outlook/bob/v2/Mail", params={"fetchOnlyUnread": False}))
        http.post(f"{API}/default/import", params={"connectionPrefix": "x-"}, content=image).raise_for_status()
        lists.append(http.get("/apim/outlook/x-bob/v2/Mail", params={"fetchOnlyUnread": False}))
        mails = lists[1].json()["value"]
        mail = http.get(f"/apim/outlook/bob/Mail/{mails[0]['Id']}")

    assert [3, 5, 5] == [len(response.json()["value"]) for response in lists]
    assert {"Planning", "Alone"} == {event["Subject"] for event in events}
    assert "bob@example.com;dan@example.org;" in {event["RequiredAttendees"] for event in events}
    assert 200 == mail.status_code
    assert mails[0]["Subject"] in mail.text


def test_what_is_no_file_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder, a link to itself and a file in the place of a folder are a 503 with their name, not a failure."""
    with served(tmp_path) as http:
        for name in ("good", "link"):
            http.post(API, json={"name": name}).raise_for_status()
    (tmp_path / "link.sqlite").unlink()
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "link.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    (tmp_path / "good.snapshots").touch()
    with served(tmp_path) as http:
        answers = [
            http.delete(f"{API}/folder"),
            http.get(f"{API}/link/snapshots"),
            http.put(f"{API}/good/snapshots/one"),
        ]

    assert [503] * 3 == [answer.status_code for answer in answers]
    for answer, name in zip(answers, ("folder.sqlite", "link.sqlite", "good.snapshots"), strict=True):
        assert name in answer.json()["message"]
    assert not [record for record in caplog.records if record.exc_info]


def test_a_file_that_another_program_has_locked(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A write is a 503 before a second has passed, reads are served, and the next write works."""
    order = {"To": "good-1@outlook.com", "Subject": "Hello", "Body": "x"}
    with served(folder) as http, closing(sqlite3.connect(folder / "good.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        refused = http.post("/apim/outlook/good-1/v2/Mail", json=order)
        seconds = time.monotonic() - start
        other.execute("ROLLBACK")
        accepted = http.post("/apim/outlook/good-1/v2/Mail", json=order)
        mails = http.get("/apim/outlook/good-1/v2/Mail").json()["value"]

    assert (503, 200, 1) == (refused.status_code, accepted.status_code, len(mails))
    assert "database is locked" in refused.json()["message"]
    assert seconds < 1
    assert not [record for record in caplog.records if record.exc_info]
