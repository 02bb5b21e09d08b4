"""Emulators and sandboxes as plain objects: start, use and clean up."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

import outlook_emulator
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.settings import Settings
from outlook_emulator.testing import AdminError, Server


def names(place: Server) -> set[str]:
    """Return the names of all sandboxes."""
    with httpx.Client(transport=place.transport()) as http:
        return {sandbox["name"] for sandbox in http.get(f"{place.url}{ROOT}/sandboxes").json()["value"]}


def test_plain_python() -> None:
    """Without pytest, the emulator and its mailboxes last until their blocks end."""
    with outlook_emulator.running() as running, Server(running.url, ca_file=running.ca_file) as server:
        ada = server.connect("ada")
        ada.deliver(subject="Hello")
        subjects = [mail["Subject"] for mail in ada.mails()]

    assert ["Hello"] == subjects
    assert "ada@example.com" == ada.address


@pytest.mark.parametrize("authorization", ["any", "none", "secret"])
@pytest.mark.parametrize("way", ["http", "app"])
def test_settings(way: str, authorization: str) -> None:
    """An emulator can be started with settings, and its clients send the credential that it requires."""
    settings = Settings(max_top=7, authorization=authorization)
    with Server.in_process(settings) if way == "app" else Server.started(settings) as server:
        ada = server.connect("ada")
        answers = [ada.http.get("/v2/Mail", params={"top": top}).status_code for top in (7, 8)]

    assert [200, 400] == answers


@pytest.mark.parametrize("way", ["http", "app"])
def test_admin_token(way: str) -> None:
    """The server object that starts an emulator with a token sends the token; a request without it is rejected."""
    settings = Settings(admin_token="secret")
    with Server.in_process(settings) if way == "app" else Server.started(settings) as server:
        server.connect().deliver(subject="Hello")
        with httpx.Client(transport=server.transport()) as http:
            assert 401 == http.get(f"{server.url}{ROOT}/sandboxes").status_code


def test_missing_admin_token() -> None:
    """A missing admin token raises the emulator's reason."""
    with Server.started(Settings(admin_token="secret")) as server, Server(server.url) as locked:
        with pytest.raises(AdminError, match=r"401 to PUT /sandboxes/.*: The admin API requires its token"):
            locked.connect()
        with Server(server.url, token="secret") as opened:
            opened.connect()


def test_in_process() -> None:
    """An emulator can run in process without a socket, and its thread stops with it."""
    before = threading.active_count()
    with Server.in_process() as server:
        ada = server.connect("ada")
        ada.deliver(subject="Hello")
        subjects = [mail["Subject"] for mail in ada.mails()]

    assert ["Hello"] == subjects
    assert before == threading.active_count()


def test_sandbox_is_deleted_after_its_block(place: Server) -> None:
    """A sandbox is deleted at the end of its block, also if it has been deleted before."""
    with place.sandbox("mine") as first, place.sandbox("mine") as other:
        inside = names(place)
        other.admin.request("DELETE")

    assert {first.name, other.name} <= inside
    assert not {first.name, other.name} & names(place)


def test_close_deletes_own_sandboxes(server: Server) -> None:
    """Closing a server deletes the sandboxes that it created, and no others."""
    with Server(server.url) as mine, Server(server.url) as other:
        left = mine.connect().sandbox.name
        kept = other.sandbox().name
        mine.close()
        after = names(other)

    assert (False, True) == (left in after, kept in after)


def test_names_are_unique(place: Server) -> None:
    """Sandboxes with the same label have different names, and a label can be any string."""
    with place.sandbox("gw0-test_a[ü/1]" * 9) as first, place.sandbox("gw0-test_a[ü/1]" * 9) as other:
        assert first.name != other.name
        assert first.name.startswith("gw0-test_a-1-gw0-")


def test_clock_of_a_new_sandbox(place: Server) -> None:
    """A sandbox with a clock starts frozen at that time, even in the past; by default it follows the server's clock."""
    with place.sandbox(clock="2001-01-01T09:00:00Z") as past, place.sandbox(clock=datetime(2001, 1, 1, 9)) as naive:
        assert {datetime(2001, 1, 1, 9, tzinfo=UTC)} == {past.clock.now(), naive.clock.now()}
    with place.sandbox() as now:
        assert "following" == now.admin.request("GET", "/clock")["mode"]


@pytest.mark.slow
def test_seed(place: Server) -> None:
    """A seed provides address and mails; the name of the connection defaults to the name of the seed."""
    office = place.connect(seed="office", clock="2026-03-02T09:00:00Z")
    with office.sandbox:
        again = office.sandbox.connect("second", seed="archive")

        assert ("ada@example.com", "mary@example.com") == (office.address, again.address)
        assert (True, True) == (office.id.endswith(".office"), again.id.endswith(".second"))
        assert [True, True] == [bool(connection.mails()) for connection in (office, again)]


def test_seed_from_a_folder_or_a_mapping(place: Server, tmp_path: Path) -> None:
    """A seed can be a folder, which is sent to the server, or a mapping in the test itself."""
    (tmp_path / "box" / "mail").mkdir(parents=True)
    (tmp_path / "box" / "mailbox.toml").write_text('address = "a@example.com"\ndisplay_name = "A"')
    (tmp_path / "box" / "mail" / "x.eml").write_bytes(b"Date: Mon, 12 Jan 2026 08:00:00 +0000\r\nSubject: x\r\n\r\n")
    mail = {"folder": "Inbox", "received": datetime(2026, 1, 12, tzinfo=UTC), "subject": "y"}
    folder = place.connect(seed=tmp_path / "box")
    with folder.sandbox:
        mapping = folder.sandbox.connect(seed={"address": "b@example.com", "display_name": "B", "mail": [mail]})

        assert ("a@example.com", "b@example.com") == (folder.address, mapping.address)
        assert (True, True) == (folder.id.endswith(".box"), mapping.id.endswith(".me"))
        assert (["x"], ["y"]) == tuple([mail["Subject"] for mail in box.mails()] for box in (folder, mapping))


def test_failed_connect_leaves_nothing(place: Server) -> None:
    """An invalid seed or clock raises the reason and leaves no sandbox behind."""
    before = names(place)

    with pytest.raises(AdminError, match=r"answered 400 to POST /sandboxes/.*/seed: There is no sample mailbox 'none'"):
        place.connect(seed="none")
    with pytest.raises(AdminError, match=r"answered 400 to PUT /sandboxes/.*: 'clock.set' must be") as refused:
        place.connect(clock="soon")
    assert 400 == refused.value.status
    assert before == names(place)


def test_error_names_the_id(place: Server) -> None:
    """The reason of an error says which id is malformed, which only `originalMessage` of the response does."""
    with place.sandbox() as box, pytest.raises(AdminError, match=r"Id is malformed. \(message\)"):
        box.admin.send("GET", f"/connections/{box.connect('x').id}/messages/nonsense/mime")


def test_seed_with_address(place: Server) -> None:
    """A seed cannot be combined with an address or mails."""
    with place.sandbox() as box, pytest.raises(TypeError, match="has its own address and mails"):
        box.connect("x", "x@example.com", seed="office", mails=[])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "ftp://x"])
def test_no_emulator(url: str) -> None:
    """If no emulator responds, the error names the URL."""
    with Server(url) as server, pytest.raises(ConnectionError) as refused:
        server.check()

    assert str(refused.value).startswith(f"No emulator responds at {url}: ")


def test_missing_certificate_file() -> None:
    """A missing certificate file is named in the error."""
    with pytest.raises(ValueError, match=r"cannot read certificates from /nowhere\.pem: No such file"):
        Server("https://127.0.0.1:1", ca_file="/nowhere.pem")


def test_check(place: Server) -> None:
    """`check` raises nothing if an emulator responds."""
    place.check()
