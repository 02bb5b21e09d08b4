"""Files of sandboxes and snapshots that somebody edited by hand: clients get an error with the reason, or the rest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.server.test_bad_files import API, served
from tests.stub import Stub

MAIL = "/apim/outlook/good-1/v2/Mail"
HELLO = {"To": "good-1@outlook.com", "Subject": "Hello", "Body": "x"}


def edit(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.create_function("lowered", 1, str.lower, deterministic=True)
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE content SET headers = '{}'", "its table 'content' has a value that cannot be read in 'headers'"),
        ("UPDATE message SET importance = 9", "its table 'message' has a value out of range in 'importance'"),
        ("UPDATE sandbox_state SET value = 'x' WHERE key = 'indexed_seq'", "a number in its state cannot be read"),
        ("UPDATE push SET operation = 'OnNothing'", "its push trigger 'good-1/news' cannot be polled"),
        ("DELETE FROM mailbox", "its table"),
    ],
)
def test_an_edited_snapshot_is_not_restored(tmp_path: Path, listener: Stub, statement: str, reason: str) -> None:
    """It is checked as an import is, whether or not the server was restarted; nothing changes."""
    with served(tmp_path) as http:
        http.post(API, json={"name": "good", "connections": [{"id": "good-1"}]}).raise_for_status()
        http.put(f"{API}/good/connections/good-1/triggerConfigs/news", json=trigger(listener.url)).raise_for_status()
        http.post(MAIL, json=HELLO).raise_for_status()
        http.get(MAIL, params={"searchQuery": "hello"}).raise_for_status()
        for name in ("whole", "edited"):
            http.put(f"{API}/good/snapshots/{name}").raise_for_status()
        edit(tmp_path / "good.snapshots" / "edited.sqlite", statement)
        http.post(MAIL, json=HELLO).raise_for_status()
        refused = http.post(f"{API}/good/snapshots/edited/restore")
        left = http.get(MAIL).json()["value"]
        restored = [http.post(f"{API}/good/snapshots/whole/restore").status_code]
    with served(tmp_path) as http:
        again = http.post(f"{API}/good/snapshots/edited/restore")
        restored.append(http.post(f"{API}/good/snapshots/whole/restore").status_code)

    assert (409, 409) == (refused.status_code, again.status_code)
    assert f"The snapshot 'edited' cannot be restored: {reason}" in refused.json()["message"]
    assert refused.json()["error"]["message"] == again.json()["error"]["message"]
    assert 2 == len(left)
    assert [200, 200] == restored


def trigger(url: str) -> dict[str, object]:
    details = {"callbackUrl": url}
    return {"properties": {"operationName": "OnNewEmailV2", "notificationDetails": details}}


def test_a_push_trigger_that_nobody_knows(tmp_path: Path, listener: Stub, caplog: pytest.LogCaptureFixture) -> None:
    """One that an earlier version left is listed and can be deleted; the log names it, and others are polled."""
    place = f"{API}/good/connections/good-1/triggerConfigs"
    with served(tmp_path) as http:
        http.post(API, json={"name": "good", "connections": [{"id": "good-1"}]}).raise_for_status()
        for name in ("gone", "news"):
            http.put(f"{place}/{name}", json=trigger(listener.url)).raise_for_status()
    edit(tmp_path / "good.sqlite", "UPDATE push SET operation = 'OnNothing' WHERE name = 'gone'")
    with served(tmp_path) as http:
        for _ in range(2):
            http.post(MAIL, json=HELLO).raise_for_status()
            http.post(f"{API}/good/clock", json={"advance": "1m"}).raise_for_status()
        listed = [row["properties"]["operationName"] for row in http.get(place).json()["value"]]
        pages = [http.get(f"/_emulator/s/good/{page}").status_code for page in ("triggers", "clock")]
        references = [row["reference"] for row in http.get(f"{API}/good/callbacks").json()["value"]]
        deleted = http.delete(f"{place}/gone").status_code

    assert (["OnNothing", "OnNewEmailV2"], [200, 200], 204) == (listed, pages, deleted)
    assert ["good-1/news"] * 2 == references
    assert 1 == caplog.text.count("The push trigger 'good-1/gone' is not polled")
    assert not [record for record in caplog.records if record.exc_info]
