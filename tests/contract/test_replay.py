"""Recordings play without a difference on what they were made from, and show where a target differs."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outlook_contract.har import read
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractRun
from outlook_contract.replay import Player, ReplayError
from outlook_contract.suite.polling import TRIGGERS, Poller
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.testing import Server
from outlook_emulator.wire import mail_convert
from tests.contract.recordings import (
    ADDRESS,
    CONTACTS,
    CREDENTIAL,
    EVENTS,
    demanding,
    observed,
    recorded,
    replay,
    secrets_in,
)
from tests.contract.test_har import entry, saved

pytestmark = pytest.mark.slow

SUBSCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "CreateOnNewEmailPokeSubscription": {},
    "CreateOnFlaggedEmailPokeSubscription": {},
    "CreateOnNewMentionMeEmailPokeSubscription": {},
    "CreateOnChangedEventPokeSubscription": {"table": "Calendar"},
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording made through the proxy."""
    file = tmp_path_factory.mktemp("recording") / "day.har"
    assert [] == secrets_in(file, recorded(file))
    return file


def test_a_recording_plays_without_a_difference(day: Path) -> None:
    """What was recorded at one emulator happens again at another, whose ids, addresses and times are others."""
    assert [] == replay(day)


def test_a_recording_plays_against_a_connection(day: Path) -> None:
    """The same against a mailbox that is in use, over TLS; afterwards it is as before."""
    settings = Settings(tls="yes", authorization=CREDENTIAL)
    with running(settings) as other, Server(other.url, ca_file=other.ca_file, credential=CREDENTIAL) as server:
        zoe = server.connect("zoe", mails=[{"from": "x@example.org", "to": "zoe@example.com", "subject": "Old"}])
        options = {"target": zoe.url, "bearer": CREDENTIAL, "ca_file": other.ca_file, "address": zoe.address}

        assert [] == replay(day, pace=0, patience=0, **options)
        assert ["Old"] == [mail["Subject"] for mail in zoe.mails()]
        assert [] == zoe.mails("Archive") + zoe.mails("SentItems")
        assert [] == zoe.http.get(EVENTS).json()["value"] + zoe.http.get(CONTACTS).json()["value"]


def without_cc(draft: Any) -> Callable[..., Any]:
    return lambda shape, *more, **named: draft({**shape, "Cc": None}, *more, **named)


def changed(received: Any, **members: Any) -> Callable[..., Any]:
    return lambda view: {**received(view), **members}


def lacking(received: Any, name: str) -> Callable[..., Any]:
    return lambda view: {key: value for key, value in received(view).items() if key != name}


@pytest.mark.parametrize(
    ("name", "original", "broken", "member"),
    [
        ("_draft", "_draft", without_cc, "Cc"),
        ("_received_json", "received", lambda original: changed(original, Importance="1"), "Importance"),
        ("_received_json", "received", lambda original: changed(original, IsRead=True), "IsRead"),
        ("_received_json", "received", lambda original: lacking(original, "BodyPreview"), "BodyPreview"),
    ],
    ids=["a lost Cc", "a word for an integer", "a wrong value", "a missing member"],
)
def test_a_broken_emulator_shows(
    day: Path, monkeypatch: pytest.MonkeyPatch, name: str, original: str, broken: Callable[[Any], Any], member: str
) -> None:
    """An emulator that is broken in one place differs there, and nowhere else."""
    monkeypatch.setattr(mail_convert, name, broken(getattr(mail_convert, original)))
    drifts = replay(day)

    # The definition says too which members are required.
    places = {drift.member.rpartition(".")[2]: drift for drift in drifts}
    elsewhere = [drift for place, drift in places.items() if place != member and f'"{member}"' not in drift.expected]

    assert member in places
    assert [] == elsewhere


def test_triggers_play(tmp_path: Path) -> None:
    """Every trigger plays: each poll starts where the response to the one before it says."""
    file = tmp_path / "a.har"
    with observed(file) as (mailbox, _):
        pollers = [Poller(mailbox, operation) for operation in TRIGGERS]
        mention = f'<p><a href="mailto:{ADDRESS}">@{ADDRESS}</a> please look</p>'
        mail = mailbox.to_self("Look", Body=mention)
        mailbox.ok("Flag", messageId=mail["Id"])
        start = (datetime.now(UTC) + timedelta(minutes=30)).replace(microsecond=0, tzinfo=None)
        times = {"Start": start.isoformat(), "End": (start + timedelta(hours=1)).isoformat(), "TimeZone": "UTC"}
        event = mailbox.ok("V3CalendarPostItem", {"Subject": mailbox.name("Soon"), **times}, table="Calendar")
        fired = {poller.operation for poller in pollers if poller.poll()}
        changed = {"Subject": mailbox.name("Later"), **times}
        mailbox.ok("V3CalendarPatchItem", changed, table="Calendar", id=event["Id"])
        fired |= {poller.operation for poller in pollers if poller.poll()}
    polls = Counter(exchange.operation for exchange in read(file) if exchange.operation in TRIGGERS)

    assert set(TRIGGERS) == fired
    assert [3] * len(TRIGGERS) == list(polls.values())
    assert [] == replay(file)


def test_subscriptions_play(tmp_path: Path) -> None:
    """A subscription is created, renewed and deleted at the target, and names a callback where nobody listens."""
    file = tmp_path / "a.har"
    url = "https://hooks.fabrikam.example/run/orders?sig=q1w2e3r4t5"
    with observed(file) as (mailbox, _):
        for kind, place in SUBSCRIPTIONS.items():
            created = mailbox.call(kind, {"NotificationUrl": url}, **place)
            location = created.headers["location"]
            for method, body, status in (
                *(("PATCH", {"NotificationUrl": f"{url}&x=1"}, 200), ("DELETE", None, 200)),
                *(("DELETE", None, 404), ("PATCH", {"NotificationUrl": url}, 404)),
            ):
                assert status == mailbox.follow(location, method, body).status

    assert not re.search("fabrikam|orders|q1w2e3r4t5", file.read_text(encoding="utf-8"))
    with ContractRun(TargetOptions(client="http")) as run:
        reports: list[tuple[int, int]] = []
        Player(run, read(file)).play(lambda *report: reports.append(report))
        sent = [exchange.request_body for exchange in run.mailboxes["mailbox"].transport.exchanges]
    assert [(number, len(reports)) for number in range(1, len(reports) + 1)] == reports != []
    assert [] == run.report.drifts
    assert {b"", *(f'{{"NotificationUrl": "http://127.0.0.1:9/contract/{n}"}}'.encode() for n in (1, 2))} == set(sent)


@pytest.mark.parametrize(
    ("operation", "deletion"),
    [
        ("SendApprovalMail", "DeleteApprovalMailSubscription"),
        ("SendMailWithOptions", "DeleteOptionsMailSubscription"),
    ],
)
def test_questions_play(tmp_path: Path, operation: str, deletion: str) -> None:
    """A question is asked, answered by the link in its mail, answered again, and withdrawn."""
    file = tmp_path / "a.har"
    message = {"To": ADDRESS, "Subject": "Trip to Oslo?", "Options": "Yes, No, Perhaps", "HeaderText": "Dear Ada"}
    with observed(file) as (mailbox, _):
        question = {"NotificationUrl": "http://127.0.0.1:9/answer", "Message": message}
        created = mailbox.ok(operation, question)
        (mail,) = mailbox.ok("GetEmailsV2", folderPath="Inbox", fetchOnlyUnread=False)["value"]
        links = re.findall(r'href="([^"]*RecordResponse[^"]*)"', mail["Body"])
        assert 3 == len(links)
        # The caller opens the links at the proxy.
        for link in (html.unescape(links[0]), html.unescape(links[1])):
            assert 200 == mailbox.follow(link).status
        deletion = {"SendApprovalMail": "DeleteApprovalMailSubscription"}.get(
            operation, "DeleteOptionsMailSubscription"
        )
        mailbox.ok(deletion, id=created["id"])
        assert 200 == mailbox.follow(html.unescape(links[2])).status

    assert not re.search("Oslo|Perhaps|Dear", file.read_text(encoding="utf-8"))
    assert [] == replay(file)


def test_a_response_of_a_fault_is_left_out(tmp_path: Path) -> None:
    """What the connector answers while it is not available is not played, nor is what needs it; a refusal is."""
    file = tmp_path / "a.har"
    with observed(file) as (mailbox, ada):
        ada.sandbox.faults.add(status=503, operation="GetEmailsV2", times=1)
        ada.sandbox.faults.add(status=429, operation="GetEmails", times=1)
        mailbox.transport.patient = False
        assert 503 == mailbox.call("GetEmailsV2").status
        assert 429 == mailbox.call("GetEmails").status
        mailbox.refused("GetEmail", 400, messageId="nope")
        mailbox.refused("SendEmailV2", 400, {"Subject": "Nobody"})
    with ContractRun(TargetOptions(client="http")) as run:
        player = Player(run, read(file))
        player.play()

    reasons = {"the connector was not available": 1, "the limit of the connector answered it": 1}
    assert (reasons, []) == (player.left_out, run.report.drifts)


def test_callbacks_of_a_connection(tmp_path: Path) -> None:
    """A connection gets no callback that was recorded: subscriptions are left out, or name `--callback-url`."""
    file = tmp_path / "a.har"
    with observed(file) as (mailbox, _):
        created = mailbox.call("CreateOnNewEmailPokeSubscription", {"NotificationUrl": "https://hooks.example.org/x"})
        mailbox.follow(created.headers["location"], "DELETE")
    with demanding() as server:
        zoe = server.connect("zoe")
        target: dict[str, Any] = {"client": "http", "target": zoe.url, "bearer": CREDENTIAL, "pace": 0, "patience": 0}
        results = []
        for callback_url in ("", "http://127.0.0.1:9/mine"):
            with ContractRun(TargetOptions(**target, callback_url=callback_url)) as run:
                player = Player(run, read(file))
                player.play()
                results.append((player.played, dict(player.left_out), run.report.drifts))
                bodies = b"".join(exchange.request_body for exchange in run.mailboxes["mailbox"].transport.exchanges)
            assert (b"127.0.0.1:9/mine/1" in bodies) == bool(callback_url)

    reasons = {"it needs --callback-url": 1, "it needs the response to one that was left out": 1}
    total = len(read(file))
    assert [(total - 2, reasons, []), (total, {}, [])] == results


def test_a_recording_of_a_browser(tmp_path: Path) -> None:
    """A file without our placeholders and without credentials plays too; a difference is printed."""
    (difference,) = replay(saved(tmp_path, entry(response={**entry()["response"], "status": 404})))

    assert ("GetEmail", "status", "404") == difference[:3]


def test_a_recording_of_more_mailboxes_than_there_are(tmp_path: Path, day: Path) -> None:
    """A target has two mailboxes at most."""
    request = entry()["request"]
    calls = [entry(request={**request, "url": f"https://g.example/apim/outlook/{id}/Mail/x"}) for id in "abc"]

    with ContractRun(TargetOptions(client="http")) as run, pytest.raises(ReplayError, match="uses 3 connections"):
        Player(run, read(saved(tmp_path, *calls)))


def test_only_reading(day: Path) -> None:
    """A run that only reads leaves out what would change something, and says so."""
    with ContractRun(TargetOptions(client="http", read_only=True)) as run:
        player = Player(run, read(day))
        player.play()

    reasons = {"it would change something": 4, "it needs the response to one that was left out": 4}
    assert reasons == player.left_out
    assert 7 == player.played
