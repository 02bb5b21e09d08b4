"""Recordings play without a difference on what they were made from, and show where a target differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlook_contract.har import read
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractRun
from outlook_contract.replay import Player, ReplayError
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.testing import Server
from outlook_emulator.wire import mail_convert
from tests.contract.recordings import CONTACTS, CREDENTIAL, EVENTS, recorded, replay, secrets_in
from tests.contract.test_har import entry, saved

pytestmark = pytest.mark.slow


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
    ("name", "broken", "member"),
    [
        ("_draft", without_cc, "Cc"),
        ("received", lambda original: changed(original, Importance="1"), "Importance"),
        ("received", lambda original: changed(original, IsRead=True), "IsRead"),
        ("received", lambda original: lacking(original, "BodyPreview"), "BodyPreview"),
    ],
    ids=["a lost Cc", "a word for an integer", "a wrong value", "a missing member"],
)
def test_a_broken_emulator_shows(
    day: Path, monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[[Any], Any], member: str
) -> None:
    """An emulator that is broken in one place differs there, and nowhere else."""
    monkeypatch.setattr(mail_convert, name, broken(getattr(mail_convert, name)))
    drifts = replay(day)

    assert drifts
    assert [] == [drift for drift in drifts if drift.member.rpartition(".")[2] != member]


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

    assert {"it would change something": 5} == player.left_out
    assert 10 == player.played
