"""What a poll sends back besides its items: `Retry-After`, `Location` and the state in it."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import unquote

import pytest

from outlook_emulator.recent import Recent
from outlook_emulator.server.connector import polling
from tests.conftest import Connection, Sandbox
from tests.mailbox.triggers.test_mail_triggers import EVERY, FLAGGED, MENTION, NEW, NOTIFIED, TABLE, Poller, fire

MAILS = [path for path in EVERY if "Mail" in path]
MEMBERS = ["LastReceivedMailTime", "LastCreatedMailTime", "LastMessageId", "LastInternetMessageId"]


def state_of(location: str) -> dict[str, Any]:
    """The decoded state of a mail trigger."""
    state = unquote(location.partition("LastPollInformation=")[2])
    members: dict[str, Any] = json.loads(b64decode(state))
    return members


def waits(alice: Connection, path: str) -> list[tuple[int, str]]:
    """Status and Retry-After of a first poll, of one that returns an item, and of an idle one."""
    poller = Poller(alice, path, **EVERY[path])
    answers = [poller.last]
    fire(alice, path)
    for _ in range(2):
        poller.ask()
        answers.append(poller.last)
    return [(answer.status_code, answer.headers["retry-after"]) for answer in answers]


@pytest.mark.parametrize("path", sorted(NOTIFIED))
def test_notification_triggers_answer_retry_after_3600(alice: Connection, path: str) -> None:
    """Triggers that can be subscribed to name an hour, with items and without.

    Recorded from the Office 365 twin, on a 200: flagged mail (pnp/cli-microsoft365, trigger output of a flow run) and
    changed events (trigger output on qiita.com). That new mail, mentions and a 202 are alike is inferred.
    """
    assert [(202, "3600"), (200, "3600"), (202, "3600")] == waits(alice, path)


@pytest.mark.parametrize("path", [path for path in EVERY if path not in NOTIFIED and "OnUpcoming" not in path])
def test_the_other_triggers_answer_as_before(alice: Connection, path: str) -> None:
    """Triggers without a subscription, first versions included, name 15 seconds on a 202, and 60 after items.

    15 is from notes from live use of the Office 365 twin's `/Mail/OnNewEmail` (azure-functions-connectors, 2026-03);
    60 is inferred.
    """
    assert [(202, "15"), (200, "60"), (202, "15")] == waits(alice, path)


@pytest.mark.parametrize("path", EVERY)
def test_location_holds_the_original_query_and_the_state_nothing_of_ours(alice: Connection, path: str) -> None:
    """The query comes back in its order, casing and encoding, followed by the state alone, however often one polls.

    Recorded from the Office 365 twin (pnp/cli-microsoft365, trigger output of a flow run), and notes from live use
    (azure-functions-connectors, 2026-03).
    """
    query = "Zeta=1&TABLE=%43alendar&%24top=%35&toOrCc=&subjectFilter=&other=a%2fb%2Fc+d&flag"
    state = "LastPollInformation" if "Mail" in path else "triggerstate"
    url = f"{alice.url}{path}?{query}"
    for _ in range(3):
        url = alice.http.get(url).headers["location"]
        before, _, value = url.partition(f"&{state}=")
        assert f"{alice.url}{path}?{query}" == before
        assert re.fullmatch(r"[A-Za-z0-9.~_-]*(%[0-9a-f]{2}[A-Za-z0-9.~_-]*)*", value), value


@pytest.mark.parametrize(
    ("query", "others"),
    [("&", "&"), ("&{state}", ""), ("{state}&", ""), ("top=1&{state}&", "top=1&"), ("&&{state}", "&")],
)
def test_empty_parts_of_the_query_stay_in_the_location(alice: Connection, query: str, others: str) -> None:
    """The query comes back as written, also where nothing stands before or after an ampersand. Evidence as above."""
    state = alice.http.get(NEW).headers["location"].partition("?")[2]

    location = alice.http.get(f"{alice.url}{NEW}?{query.format(state=state)}").headers["location"]

    assert f"{alice.url}{NEW}?{others}&{state}" == location


@pytest.mark.parametrize("path", [path for path in EVERY if "table" not in EVERY[path]])
def test_location_of_a_poll_without_query_holds_the_state_alone(alice: Connection, path: str) -> None:
    """Without a query of the client, the state is the whole query. Evidence as above."""
    state = "LastPollInformation" if "Mail" in path else "triggerstate"
    location = alice.http.get(path).headers["location"]

    assert location.startswith(f"{alice.url}{path}?{state}=")
    assert "&" not in location


@pytest.mark.parametrize("path", MAILS)
def test_the_state_of_a_mail_trigger_has_the_recorded_members_alone(alice: Connection, path: str) -> None:
    """The state is base64 of JSON with four members. Recorded from the Office 365 twin (pnp/cli-microsoft365)."""
    poller = Poller(alice, path)
    assert MEMBERS == list(state_of(poller.location))
    fire(alice, path)
    (mail,) = poller.ask()

    state = state_of(poller.location)
    assert MEMBERS == list(state)
    assert (mail["Id"], mail["InternetMessageId"]) == (state["LastMessageId"], state["LastInternetMessageId"])


@pytest.mark.parametrize("path", MAILS)
def test_last_received_mail_time_stays_while_nothing_came(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """`LastReceivedMailTime` is the first poll's time until a mail fires, then that mail's time, and stays there.

    Recorded from the Office 365 twin (pnp/cli-microsoft365): the time of receipt was three and a half months older
    than the poll.
    """
    # Other tests move the clock that all sandboxes follow.
    alice.api.post("/clock", json={"set": "2026-05-04T09:00:00Z"}).raise_for_status()
    poller = Poller(alice, path)
    times = [state_of(poller.location)["LastReceivedMailTime"]]
    for step in ("1h", "30m"):
        sandbox.advance(step)
        poller.ask()
        times.append(state_of(poller.location)["LastReceivedMailTime"])
    fire(alice, path)
    sandbox.advance("90d")
    assert ["Ping"] == poller.subjects()
    times.append(state_of(poller.location)["LastReceivedMailTime"])
    sandbox.advance("10d")
    poller.ask()
    times.append(state_of(poller.location)["LastReceivedMailTime"])

    first, received = "2026-05-04T09:00:00.0000000+00:00", "2026-05-04T10:30:00.0000000+00:00"
    assert [first, first, first, received, received] == times


@pytest.mark.parametrize("path", MAILS)
def test_last_created_mail_time_is_the_time_of_the_poll_in_whole_seconds(
    sandbox: Sandbox, alice: Connection, path: str
) -> None:
    """`LastCreatedMailTime` is the time of the poll, without a fraction. Recorded from the Office 365 twin
    (pnp/cli-microsoft365)."""
    # Other tests move the clock that all sandboxes follow.
    alice.api.post("/clock", json={"set": "2026-05-04T09:00:00Z"}).raise_for_status()
    poller = Poller(alice, path)
    times = [state_of(poller.location)["LastCreatedMailTime"]]
    alice.api.post("/clock", json={"set": "2026-05-04T09:10:59.999999Z"}).raise_for_status()
    fire(alice, path)
    for _ in range(2):
        poller.ask()
        times.append(state_of(poller.location)["LastCreatedMailTime"])

    assert ["2026-05-04T09:00:00+00:00", "2026-05-04T09:10:59+00:00", "2026-05-04T09:10:59+00:00"] == times


@pytest.mark.parametrize("path", [NEW, FLAGGED, MENTION])
def test_whole_seconds_lose_and_repeat_no_mail(alice: Connection, path: str) -> None:
    """Polls within one second return each mail once, although their states name the same second."""
    poller, subjects = Poller(alice, path), []
    for number in range(4):
        body = f'<a href="mailto:{alice.address}">@Alice</a>'
        alice.deliver(subject=str(number), html=body, is_flagged=True)
        subjects.append(poller.subjects())
        subjects.append(poller.subjects())

    assert [["0"], [], ["1"], [], ["2"], [], ["3"], []] == subjects


def test_a_mail_that_is_moved_in_fires_if_it_is_newer_than_the_last_one(sandbox: Sandbox, alice: Connection) -> None:
    """Idle polls between receipt and move do not count: only the newest mail that fired does.

    Vendor's documentation of the Office 365 twin: of two mails, the later one moved first fires, then the earlier
    one does not.
    """
    poller = Poller(alice, NEW, folderPath="Archive")
    sandbox.advance("1m")
    first = alice.deliver(subject="A")
    sandbox.advance("1m")
    second = alice.deliver(subject="B")
    sandbox.advance("1m")
    assert [] == poller.subjects()
    alice.post(f"/Mail/Move/{second['Id']}", folderPath="Archive")
    fired = poller.subjects()
    alice.post(f"/Mail/Move/{first['Id']}", folderPath="Archive")

    assert (["B"], []) == (fired, poller.subjects())


def test_the_newest_mail_of_all_batches_counts(sandbox: Sandbox, alice: Connection) -> None:
    """When items come in several batches, the state names the newest mail of all of them (inferred)."""
    poller = Poller(alice, NEW)
    sandbox.advance("2h")
    newest = alice.deliver(subject="newest", received="2026-03-02T10:59:00Z")
    for number in range(60):
        alice.deliver(subject=str(number), received="2026-03-02T10:00:00Z")

    assert (50, "0") == (len(poller.ask()), poller.last.headers["retry-after"])
    assert 11 == len(poller.ask())
    state = state_of(poller.location)
    assert ("2026-03-02T10:59:00.0000000+00:00", newest["Id"]) == (
        state["LastReceivedMailTime"],
        state["LastMessageId"],
    )


def test_a_state_that_a_client_made_itself_is_read(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A state with the recorded members in any layout works: mail since the named second is returned."""
    sandbox.advance("1m")
    alice.deliver(subject="News")
    when = "2026-03-02T09:00:59+00:00"
    members = {"LastReceivedMailTime": when, "LastCreatedMailTime": when, "LastMessageId": None}
    for layout in ({"indent": 2}, {"separators": (",", ":")}):
        state = b64encode(json.dumps(members, **layout).encode()).decode()
        items = alice.get(NEW, LastPollInformation=state)["value"]
        assert ["News"] == [mail["Subject"] for mail in items]

    members["LastMessageId"] = alice.mail()["Id"]
    state = b64encode(json.dumps(members).encode()).decode()
    refused = bob.http.get(NEW, params={"LastPollInformation": state})
    assert 400 == refused.status_code
    assert "belongs to another mailbox" in refused.json()["message"]


def test_an_instant_that_a_client_made_itself_is_read(sandbox: Sandbox, alice: Connection) -> None:
    """Calendar triggers take an instant as their state, with any number of digits."""
    sandbox.advance("1m")
    alice.meet("News")
    for state in ("2026-03-02T09:00:59Z", "2026-03-02T09:00:59.5Z", "2026-03-02T09:00:59.9999999Z"):
        items = alice.get(f"{TABLE}/onnewitems", triggerstate=state)["value"]
        assert ["News"] == [event["Subject"] for event in items]


@pytest.mark.parametrize("path", EVERY)
def test_a_state_holds_for_its_trigger_mailbox_and_epoch(
    sandbox: Sandbox, alice: Connection, bob: Connection, path: str
) -> None:
    """A state of another mailbox, another trigger, or from before a reset is refused; a restored one goes on."""
    poller = Poller(alice, path, **EVERY[path])
    others = [other for other in EVERY if ("Mail" in other) == ("Mail" in path) and last(other) != last(path)]
    assert 400 == bob.http.get(poller.location.replace(alice.id, bob.id)).status_code
    for other in others:
        table = "&table=Calendar" if "OnUpcoming" in other else ""
        assert 400 == alice.http.get(poller.location.replace(path, other) + table).status_code, other

    sandbox.admin.request("PUT", "/snapshots/start")
    undone = Poller(alice, path, **EVERY[path])
    sandbox.admin.request("POST", "/snapshots/start/restore")
    assert ([], 400) == (poller.ask(), alice.http.get(undone.location).status_code)
    sandbox.admin.request("POST", "/reset")
    assert 400 == alice.http.get(poller.location).status_code


@pytest.mark.parametrize("path", [NEW, f"{TABLE}/onnewitems"])
def test_a_state_holds_when_the_server_has_forgotten_it(
    alice: Connection, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A server that does not remember a state, such as a restarted one, reads it."""
    poller = Poller(alice, path, **EVERY[path])
    fire(alice, path)
    remembered = alice.http.get(poller.location).json()
    monkeypatch.setattr(polling, "_known", Recent(1))

    assert remembered["value"]
    assert remembered == alice.http.get(poller.location).json()


def last(path: str) -> str:
    return path.rpartition("/")[2]
