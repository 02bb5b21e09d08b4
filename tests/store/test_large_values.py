"""Large values are written and read in pieces, and the database remembers that it has held one."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from random import Random

import pytest

from outlook_emulator.store import database, serialization
from outlook_emulator.store.database import Database
from tests.conftest import Connection

_CONTENT = Random(1).randbytes(3 * 1024 * 1024 + 5)


def test_a_large_attachment_comes_back(alice: Connection) -> None:
    attachment = {"Name": "large.bin", "ContentBytes": b64encode(_CONTENT).decode()}
    mail = {"To": alice.address, "Subject": "Large", "Body": "x", "Attachments": [attachment]}
    assert alice.http.post("/v2/Mail", json=mail).status_code == 200

    (shown,) = alice.http.get("/v2/Mail?includeAttachments=true").json()["value"]

    assert b64decode(shown["Attachments"][0]["ContentBytes"]) == _CONTENT
    file = alice.http.get(f"/Mail/{shown['Id']}/Attachments/{shown['Attachments'][0]['Id']}")
    assert file.content == _CONTENT


def test_a_long_event_comes_back(alice: Connection) -> None:
    event = {"Subject": "Long", "Start": "2026-03-02T09:00:00", "End": "2026-03-02T10:00:00", "Body": "x" * 70_000}
    created = alice.http.post("/datasets/calendars/v2/tables/Calendar/items", json=event)
    assert created.status_code in (200, 201), created.text

    shown = alice.http.get("/datasets/calendars/v2/tables/Calendar/items").json()["value"]

    assert [event["Body"] in item["Body"] for item in shown] == [True]


def test_a_database_remembers_a_large_value(tmp_path: Path) -> None:
    file = tmp_path / "one.sqlite"
    db = Database(file)
    assert not db.has_large
    with db.transaction():
        db.note_size(database.LARGE_VALUE)
    assert db.has_large
    db.close()

    again = Database(file)
    assert again.has_large
    with again.transaction():
        again.clear()
    assert not again.has_large
    again.close()


def test_an_image_by_way_of_a_file_has_the_same_content(monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database()
    with db.transaction():
        db.note_size(database.LARGE_VALUE)
    monkeypatch.setattr(serialization, "_LARGE_IMAGE", 0)

    copy = Database(image=db.image({"more": "state"}))

    copy.check()
    assert copy.has_large
    assert copy.one("SELECT value FROM sandbox_state WHERE key = 'more'", {}) == ("state",)
    assert db.one("SELECT value FROM sandbox_state WHERE key = 'more'", {}) is None
    copy.close()
    db.close()
