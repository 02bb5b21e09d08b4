"""Emulators and their sandboxes as plain objects: made, used, and gone without a trace."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import httpx
import pytest

import outlook_emulator
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.settings import Settings
from outlook_emulator.testing import AdminError, Server


def names(place: Server) -> set[str]:
    """The sandboxes there are."""
    with httpx.Client(transport=place.transport()) as http:
        return {sandbox["name"] for sandbox in http.get(f"{place.url}{ROOT}/sandboxes").json()["value"]}


def test_plain_python() -> None:
    """Without pytest, an emulator is started, a mailbox had, and both end with their blocks."""
    with outlook_emulator.running() as running, Server(running.url, ca_file=running.ca_file) as server:
        ada = server.connect("ada")
        ada.deliver(subject="Hello")
        subjects = [mail["Subject"] for mail in ada.mails()]

    assert ["Hello"] == subjects
    assert "ada@example.com" == ada.address


@pytest.mark.parametrize("authorization", ["any", "none", "secret"])
@pytest.mark.parametrize("way", ["http", "app"])
def test_settings_of_its_own(way: str, authorization: str) -> None:
    """An emulator may be started with settings, and what it demands of clients they have."""
    settings = Settings(max_top=7, authorization=authorization)
    with Server.in_process(settings) if way == "app" else Server.started(settings) as server:
        ada = server.connect("ada")
        answers = [ada.http.get("/v2/Mail", params={"top": top}).status_code for top in (7, 8)]

    assert [200, 400] == answers


@pytest.mark.parametrize("way", ["http", "app"])
def test_an_admin_api_behind_a_token(way: str) -> None:
    """Whoever starts an emulator with a token has it; nobody else gets in."""
    settings = Settings(admin_token="secret")
    with Server.in_process(settings) if way == "app" else Server.started(settings) as server:
        server.connect().deliver(subject="Hello")
        with httpx.Client(transport=server.transport()) as http:
            assert 401 == http.get(f"{server.url}{ROOT}/sandboxes").status_code


def test_a_token_that_is_missing() -> None:
    """Where a token is demanded and not given, the refusal says so."""
    with Server.started(Settings(admin_token="secret")) as server, Server(server.url) as locked:
        with pytest.raises(AdminError, match="401 to POST /sandboxes: The admin API requires its token"):
            locked.connect()
        with Server(server.url, token="secret") as opened:
            opened.connect()


def test_in_process() -> None:
    """Without a socket, too; its thread ends with it."""
    before = threading.active_count()
    with Server.in_process() as server:
        ada = server.connect("ada")
        ada.deliver(subject="Hello")
        subjects = [mail["Subject"] for mail in ada.mails()]

    assert ["Hello"] == subjects
    assert before == threading.active_count()


def test_a_sandbox_ends_with_its_block(place: Server) -> None:
    """It is there inside of the block and not after it, and may as well have been deleted by then."""
    with place.sandbox("mine") as first, place.sandbox("mine") as other:
        inside = names(place)
        other.admin.request("DELETE")

    assert {first.name, other.name} <= inside
    assert not {first.name, other.name} & names(place)


def test_a_server_takes_along_what_is_left(server: Server) -> None:
    """Sandboxes that nobody closed go with the object that made them, and no others."""
    with Server(server.url) as mine, Server(server.url) as other:
        left = mine.connect().sandbox.name
        kept = other.sandbox().name
        mine.close()
        after = names(other)

    assert (False, True) == (left in after, kept in after)


def test_names_are_nobody_elses(place: Server) -> None:
    """Two of one label differ, and a label may be anything."""
    with place.sandbox("gw0-test_a[ü/1]" * 9) as first, place.sandbox("gw0-test_a[ü/1]" * 9) as other:
        assert first.name != other.name
        assert first.name.startswith("gw0-test_a-1-gw0-")


def test_a_sandbox_starts_when_it_is_told(place: Server) -> None:
    """A clock that is given stands there, in the past too; else it goes with the server's."""
    with place.sandbox(clock="2001-01-01T09:00:00Z") as past, place.sandbox(clock=datetime(2001, 1, 1, 9)) as naive:
        assert {datetime(2001, 1, 1, 9, tzinfo=UTC)} == {past.clock.now(), naive.clock.now()}
    with place.sandbox() as now:
        assert "following" == now.admin.request("GET", "/clock")["mode"]


@pytest.mark.slow
def test_a_sample_mailbox_is_connected(place: Server) -> None:
    """A seed brings its address and mails; the end of its id is its name, unless another is given."""
    office = place.connect(seed="office", clock="2026-03-02T09:00:00Z")
    with office.sandbox:
        again = office.sandbox.connect("second", seed="archive")

        assert ("ada@example.com", "mary@example.com") == (office.address, again.address)
        assert (True, True) == (office.id.endswith("-office"), again.id.endswith("-second"))
        assert [True, True] == [bool(connection.mails()) for connection in (office, again)]


def test_nothing_stays_of_what_is_refused(place: Server) -> None:
    """A sample mailbox that there is not is refused with the reason, and so is the sandbox that was made for it."""
    before = names(place)

    with pytest.raises(AdminError, match=r"answered 400 to POST /sandboxes/.*/seed: There is no sample mailbox 'none'"):
        place.connect(seed="none")
    with pytest.raises(AdminError, match=r"answered 400 to POST /sandboxes: 'clock.set' must be") as refused:
        place.connect(clock="soon")
    assert 400 == refused.value.status
    assert before == names(place)


def test_a_sample_mailbox_is_what_it_is(place: Server) -> None:
    """Whoever asks for a sample mailbox says nothing of what it brings itself."""
    with place.sandbox() as box, pytest.raises(TypeError, match="has its own address and mails"):
        box.connect("x", "x@example.com", seed="office", mails=[])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "ftp://x"])
def test_nobody_there(url: str) -> None:
    """Where no emulator answers, that is said, with the URL."""
    with Server(url) as server, pytest.raises(ConnectionError) as refused:
        server.check()

    assert str(refused.value).startswith(f"No emulator responds at {url}: ")


def test_a_file_that_vouches_for_nobody() -> None:
    """A PEM file that is not there is told, with its name."""
    with pytest.raises(ValueError, match=r"cannot read certificates from /nowhere\.pem: No such file"):
        Server("https://127.0.0.1:1", ca_file="/nowhere.pem")


def test_somebody_there(place: Server) -> None:
    """Where one answers, nothing is said."""
    place.check()
