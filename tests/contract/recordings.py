"""A day in a mailbox over HTTP, and what the tests of recordings have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from outlook_contract.drift import Drift
from outlook_contract.har import read
from outlook_contract.mailbox import Mailbox
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractRun
from outlook_contract.record import recording
from outlook_contract.replay import Player
from outlook_emulator.settings import Settings
from outlook_emulator.testing import Connection, Server

ADDRESS = "ada.lovelace@outlook.example"
FRIEND = "charles.babbage@outlook.example"
CREDENTIAL = "tok-5up3r-s3cret"
EVENTS = "/datasets/calendars/v3/tables/Calendar/items"
OLD_EVENTS = "/datasets/calendars/tables/Calendar/items"
CONTACTS = "/datasets/contacts/tables/Contacts/items"


def use(url: str, http: httpx.Client) -> list[str]:
    """Use many operations below a runtime URL; returns the ids that came up."""
    headers = {"Authorization": f"Bearer {CREDENTIAL}"}

    def call(method: str, path: str, expected: int = 200, **more: Any) -> httpx.Response:
        response = http.request(method, f"{url}{path}", headers=headers, **more)
        assert response.status_code == expected, f"{method} {path} {response.status_code} {response.text}"
        return response

    trigger = call("GET", "/Mail/OnNewEmail", 202)
    call("POST", "/v2/Mail", json={"To": ADDRESS, "Cc": FRIEND, "Subject": "Plan", "Body": f"<p>From {ADDRESS}</p>"})
    listed = call("GET", "/v2/Mail", params={"fetchOnlyUnread": "false", "folderPath": "Inbox"})
    (mail,) = listed.json()["value"]
    state = urlsplit(trigger.headers["location"]).query
    call("GET", f"/Mail/OnNewEmail?{state}", 200)
    id = mail["Id"]
    call("GET", f"/Mail/{quote(id, safe='')}")
    moved = call("POST", f"/Mail/Move/{quote(id, safe='')}", params={"folderPath": "Archive"}).json()
    call("GET", f"/Mail/{quote(id, safe='')}", 404)
    call("GET", f"/Mail/{quote(moved['Id'], safe='')}")
    call("GET", "/Mail/nope", 400)
    start = {"Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00", "TimeZone": "UTC"}
    event = call("POST", EVENTS, 201, json={"Subject": "Review", "RequiredAttendees": FRIEND, **start}).json()
    escaped = quote(quote(event["Id"], safe=""), safe="")
    call("GET", f"{OLD_EVENTS}/{escaped}")
    contact = call("POST", CONTACTS, 201, json={"GivenName": "Charles", "EmailAddresses": [{"Address": FRIEND}]}).json()
    call("GET", CONTACTS, params={"$filter": "GivenName eq 'Charles'"})
    call("DELETE", f"{OLD_EVENTS}/{escaped}")
    call("GET", f"{OLD_EVENTS}/{escaped}", 404)
    return [id, moved["Id"], event["Id"], contact["Id"]]


@contextmanager
def observed(file: Path, *, keep_text: bool = False) -> Iterator[tuple[Mailbox, Connection]]:
    """A mailbox behind the proxy, as a check uses it, and the same mailbox on its server."""
    with demanding() as server:
        ada = server.connect("ada", ADDRESS)
        with recording(ada.url, file, addresses=[ADDRESS], keep_text=keep_text) as (url, _):
            options: dict[str, Any] = {
                "target": url,
                "bearer": CREDENTIAL,
                "address": ADDRESS,
                "pace": 0,
                "patience": 0,
            }
            with ContractRun(TargetOptions(client="http", **options)) as run:
                yield run.mailboxes["mailbox"], ada


def replay(file: Path, **options: Any) -> list[Drift]:
    """Play a recording against a target, a new emulator by default; returns the differences."""
    with ContractRun(TargetOptions(client="http", **options)) as run:
        Player(run, read(file)).play()
    return run.report.drifts


@contextmanager
def demanding() -> Iterator[Server]:
    """A server that demands a credential, and calls back anywhere."""
    with Server.started(Settings(authorization=CREDENTIAL, callback_hosts="*")) as server:
        yield server


def recorded(file: Path) -> list[str]:
    """Record a day through the proxy; returns the ids that came up."""
    with demanding() as server:
        ada = server.connect("ada", ADDRESS)
        with recording(ada.url, file, addresses=[ADDRESS]) as (url, _), httpx.Client(trust_env=False) as http:
            return [*use(url, http), ada.id]


def secrets_in(file: Path, ids: list[str]) -> list[str]:
    """What of the day must not be in a file but is: ids, addresses and the credential, escaped or not."""
    text = unquote(unquote(file.read_text(encoding="utf-8"))).casefold()
    return [
        secret for secret in (*ids, ADDRESS, FRIEND, CREDENTIAL, "lovelace", "babbage") if secret.casefold() in text
    ]
