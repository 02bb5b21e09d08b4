"""Files of sandboxes and snapshots that somebody edited by hand: clients get an error with the reason, or the rest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from html import unescape
from pathlib import Path
from random import Random

import pytest

from tests import edited_values
from tests.imported_values import changes
from tests.server.test_bad_files import API, served
from tests.stub import Stub

MAIL = "/apim/outlook/good-1/v2/Mail"
EVENTS = "/apim/outlook/good-1/datasets/calendars/tables/Calendar/items"
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


@pytest.mark.parametrize(
    ("statement", "path", "row"),
    [
        ("UPDATE event SET attendees = '{'", EVENTS, "'event' has a value that cannot be read in 'attendees', row 1"),
        ("UPDATE event SET modified = -1000000000000000000", EVENTS, "'event' has a value out of range in 'modified'"),
        ("UPDATE event SET end_zone = 'x'", f"{API}/good/connections/good-1/calendars/Calendar/export", "invalid row"),
        ("UPDATE content SET subject = CAST(x'ff' AS TEXT)", MAIL, "'content' has a text that is no UTF-8 in row 1"),
        ("UPDATE folder SET name = x'00'", "/_emulator/s/good/m/good-1/mail", "'folder' has a value of the wrong kind"),
    ],
)
def test_an_edited_row_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, statement: str, path: str, row: str
) -> None:
    """A request that meets a row that cannot be read gets 503 with the sandbox, table and row; others are served."""
    with served(tmp_path) as http:
        http.post(API, json={"name": "good", "connections": [{"id": "good-1"}]}).raise_for_status()
        http.post(MAIL, json=HELLO).raise_for_status()
        event = {"Subject": "s", "Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}
        http.post(EVENTS, json=event).raise_for_status()
    edit(tmp_path / "good.sqlite", statement)
    with served(tmp_path) as http:
        answer = http.get(path)
        others = [http.get(place).status_code for place in (f"{API}/good", "/apim/outlook/good-1/testconnection")]

    assert (503, [200, 200]) == (answer.status_code, others), answer.text
    text = unescape(answer.text)
    assert "the file of the sandbox 'good' must have been changed by another program, because its table" in text
    assert row in text
    assert not [record for record in caplog.records if record.exc_info]


def test_a_folder_below_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that looks for the parents of such a folder ends with 503; the log for debugging has the error."""
    caplog.set_level("DEBUG", "outlook_emulator")
    with served(tmp_path) as http:
        http.post(API, json={"name": "good", "connections": [{"id": "good-1"}]}).raise_for_status()
        http.post(MAIL, json=HELLO).raise_for_status()
        (mail,) = http.get(MAIL).json()["value"]
    edit(tmp_path / "good.sqlite", "UPDATE folder SET parent_id = id")
    with served(tmp_path) as http:
        answer = http.delete(f"/apim/outlook/good-1/Mail/{mail['Id']}")

    assert 503 == answer.status_code
    assert "its table 'folder' has a folder outside of the tree, row" in answer.json()["message"]
    assert ["DEBUG"] == [record.levelname for record in caplog.records if record.exc_info]
    assert "is below itself" in caplog.text


def test_edited_values(tmp_path: Path) -> None:
    """Whatever somebody writes into a file, no response is a server error that does not name the sandbox."""
    file = edited_values.original()
    tried = Random(5).sample(changes(file), 12)
    for number, broken in enumerate(edited_values.edited(file, change) for change in tried):
        if broken is not None:
            folder = tmp_path / str(number)
            folder.mkdir()
            edited_values.check(folder, broken)
