"""The change feed stays short, triggers and search miss nothing, and old trigger states are refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox import feed_limit
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import START

KEPT = 40
PATH = "/apim/outlook/me"
ADMIN = "/_emulator/api/sandboxes/default"
EVENTS = "/datasets/calendars/v2/tables/Calendar"


class Client(httpx.Client):
    """A client of a server in this process, and the server's sandbox."""

    sandbox: Sandbox


@pytest.fixture
def http() -> Iterator[Client]:
    settings = Settings(change_feed_entries=KEPT, max_calls=0)
    with (
        running(settings, VirtualClock(START)) as served,
        Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False) as client,
    ):
        client.sandbox = served.app.state.sandboxes.default
        yield client


def send(http: Client, count: int, word: str = "word") -> None:
    for number in range(count):
        body = {"To": "me@outlook.com", "Subject": f"{word}{number}", "Body": "Hello"}
        assert http.post(f"{PATH}/v2/Mail", json=body).status_code == 200


def entries(http: Client) -> int:
    (count,) = http.sandbox.db.one("SELECT count(*) FROM change", {})
    return int(count)


def poll(http: Client, path: str) -> httpx.Response:
    answer = http.get(path)
    assert answer.status_code in (200, 202), answer.text
    return answer


def test_the_feed_stays_short(http: Client) -> None:
    """However many mails come, the feed has no more entries than the setting says, and a few."""
    counts = []
    for _ in range(3):
        send(http, 50)
        counts.append(entries(http))

    # Each mail is in Sent Items and in the Inbox.
    assert max(counts) <= KEPT + feed_limit.EVERY


def test_search_has_what_left_the_feed(http: Client) -> None:
    """A first search finds mails whose entries have left the feed."""
    send(http, 80)
    answer = http.get(f"{PATH}/v2/Mail", params={"searchQuery": "subject:word3", "fetchOnlyUnread": False})

    assert ["word3"] == [mail["Subject"] for mail in answer.json()["value"]]


@pytest.mark.parametrize("path", ["/v2/Mail/OnNewEmail", f"{EVENTS}/onnewitems", f"{EVENTS}/onchangeditems"])
def test_states(http: Client, path: str) -> None:
    """A state from before the feed's first entry is a 400 that says so; a later one misses nothing."""
    first = poll(http, PATH + path).headers["location"]
    send(http, 60, "old")
    second = poll(http, PATH + path).headers["location"]
    send(http, 20, "new")
    refused, items = http.get(first), poll(http, second)

    assert refused.status_code == 400
    assert "is older than the changes that this mailbox remembers" in refused.json()["error"]["originalMessage"]
    if "Mail" in path:
        assert len(items.json()["value"]) > 0


def test_a_state_of_a_quiet_mailbox(http: Client) -> None:
    """A poller that polls on stays valid, although the last mail that it got is long forgotten."""
    location = poll(http, f"{PATH}/v2/Mail/OnNewEmail").headers["location"]
    send(http, 1)
    location = poll(http, location).headers["location"]
    other = {"To": "x@example.com", "Subject": "Hello", "Body": "Hello"}
    for _ in range(5):
        for _ in range(30):
            assert http.post("/apim/outlook/other/v2/Mail", json=other).status_code == 200
        location = poll(http, location).headers["location"]
    send(http, 1, "last")

    assert ["last0"] == [mail["Subject"] for mail in poll(http, location).json()["value"]]


def test_earlier_states_of_large_events(http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of large events leave earlier, since the feed holds what the events were before."""
    monkeypatch.setattr(feed_limit, "_MOST_BYTES", 100_000)
    event: dict[str, Any] = {"Subject": "Large", "Start": "2026-03-02T10:00:00", "End": "2026-03-02T11:00:00"}
    event |= {"Body": "x" * 10_000}
    created = http.post(f"{PATH}/datasets/calendars/v2/tables/Calendar/items", json=event)
    assert created.status_code == 201, created.text
    for number in range(feed_limit.EVERY):
        path = f"{PATH}/datasets/calendars/v2/tables/Calendar/items/{created.json()['Id']}"
        assert http.patch(path, json={**event, "Subject": f"{number}"}).status_code == 200

    assert entries(http) < 15


def push_new_events(http: Client) -> None:
    """Register a push trigger for new events, whose callbacks nobody takes."""
    http.get(f"{PATH}/v2/Mail")
    trigger = {
        "operationName": "CalendarGetOnNewItemsV2",
        "connectionDetails": {"connectorName": "outlook"},
        "notificationDetails": {"callbackUrl": "http://127.0.0.1:9/", "httpMethod": "Post"},
        "parameters": [{"name": "table", "value": "Calendar"}],
        "splitOn": True,
    }
    http.put(f"{ADMIN}/connections/me/triggerConfigs/news", json={"properties": trigger}).raise_for_status()


def import_events(http: Client, *numbers: int) -> None:
    """Import events in one request, whose subjects are numbers."""
    events = [
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTART:20260302T100000Z\r\nSUMMARY:{number}\r\nEND:VEVENT\r\n"
        for number in numbers
    ]
    file = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(events)}END:VCALENDAR\r\n"
    headers = {"content-type": "text/calendar"}
    http.post(f"{ADMIN}/connections/me/calendars/Calendar/import", content=file, headers=headers).raise_for_status()


def pushed(http: Client, last: int) -> list[str]:
    """The subjects that were pushed, once the last one is there."""
    subjects: list[str] = []
    deadline = time.monotonic() + 10
    while str(last) not in subjects and time.monotonic() < deadline:
        listed = http.get(f"{ADMIN}/callbacks").raise_for_status().json()["value"]
        bodies = [json.loads(callback["body"]) for callback in sorted(listed, key=lambda callback: callback["id"])]
        subjects = [body["body"]["Subject"] for body in bodies]
    return subjects


def test_a_push_trigger_gets_what_one_request_brings(http: Client) -> None:
    """More items in one request than the feed remembers reach a push trigger all the same, and later ones too."""
    push_new_events(http)
    numbers = range(2 * feed_limit.EVERY)
    import_events(http, *numbers)
    import_events(http, 200)

    assert [str(number) for number in (*numbers, 200)] == pushed(http, 200)
    assert entries(http) <= KEPT + feed_limit.EVERY


def test_a_push_trigger_that_was_left_behind_starts_again(http: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A trigger that could not be polled until its state was forgotten goes on with what comes then."""
    push_new_events(http)
    (cursor,) = http.sandbox.db.one("SELECT cursor FROM push", {})
    import_events(http, *range(2 * feed_limit.EVERY))
    assert pushed(http, 2 * feed_limit.EVERY - 1)
    http.sandbox.db.execute("UPDATE push SET cursor = :cursor", {"cursor": cursor})
    # The first may come before the trigger notices, and then is not new to it.
    import_events(http, 200)
    import_events(http, 201)

    assert pushed(http, 201)[-1] == "201"
    assert "The push trigger 'me/news' starts again" in caplog.text
