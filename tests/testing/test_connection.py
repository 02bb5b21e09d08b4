"""Clients of a connection: httpx inside and outside an event loop, and Microsoft's client."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.connectors.sdk import ConnectorException

from outlook_emulator.testing import AdminError, Connection
from tests.paths import ICS


def test_http(ann: Connection) -> None:
    """The client has the runtime URL and a credential, and is created once."""
    answer = ann.http.get("/testconnection")

    assert (200, ann.url + "/testconnection") == (answer.status_code, str(answer.url))
    assert ann.http is ann.http


def test_http_inside_an_event_loop(ann: Connection) -> None:
    """The synchronous client also works inside an event loop, because the emulator runs in another thread."""

    async def test() -> int:
        return ann.http.get("/testconnection").status_code

    assert 200 == asyncio.run(test())


def test_async_http(ann: Connection) -> None:
    """The asynchronous client handles many concurrent requests."""

    async def test() -> list[int]:
        async with ann.async_http() as http:
            answers = await asyncio.gather(*(http.get("/testconnection") for _ in range(20)))
        return [answer.status_code for answer in answers]

    assert [200] * 20 == asyncio.run(test())


def test_clients_close_with_the_sandbox(ann: Connection) -> None:
    """Closing a sandbox closes its clients, and closing it again changes nothing."""
    http = ann.http
    ann.sandbox.close()
    ann.sandbox.close()

    assert http.is_closed


def call(connection: Connection, method: str, *arguments: Any, **keywords: Any) -> Any:
    async def test() -> Any:
        async with connection.client(max_retry_attempts=1) as client:
            return await getattr(client, method)(*arguments, **keywords)

    return asyncio.run(test())


def test_microsofts_client(ann: Connection) -> None:
    """Microsoft's client reads and deletes mail, and raises its own error for an error response."""
    ann.deliver(subject="Grüße & more")
    batch = call(ann, "get_emails_async", folder_path="Inbox", fetch_only_unread=False)
    (mail,) = ann.mails()
    call(ann, "delete_email_async", mail["Id"])

    assert "Grüße & more" in str(batch)
    assert [] == ann.mails()
    with pytest.raises(ConnectorException, match="failed with status 404"):
        call(ann, "delete_email_async", mail["Id"])


def test_unknown_option(ann: Connection) -> None:
    """An unknown option of Microsoft's client raises TypeError."""
    with pytest.raises(TypeError, match="attempts"):
        ann.client(attempts=1)


def test_without_microsofts_client(ann: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Microsoft's client is not installed, the error has the command to install it."""
    monkeypatch.setitem(sys.modules, "azure.connectors.outlook", None)

    with pytest.raises(ModuleNotFoundError, match="pip install azure-connectors aiohttp"):
        ann.client()


ODD_BOOK = "BEGIN:VCARD\nFN:Ann\nno line\nEND:VCARD\n"


def contacts_of(ann: Connection) -> list[dict[str, Any]]:
    contacts: list[dict[str, Any]] = ann.http.get("/datasets/contacts/tables/Contacts/items").json()["value"]
    return contacts


def test_import_file(ann: Connection, tmp_path: Path) -> None:
    """A file is imported by its kind; what was left out is in the result."""
    file = tmp_path / "book.VCF"
    file.write_text(ODD_BOOK)
    imported = ann.import_file(file)

    assert [part["line"] for part in imported["skipped"]] == [3]
    assert [item["Id"] for item in contacts_of(ann)] == imported["ids"]
    assert ann.import_file(ICS / "busy-week.ics", folder="Calendar")["skipped"] == []


def test_import_file_refused(ann: Connection, tmp_path: Path) -> None:
    """A strict import refuses a damaged file; a file of another kind is a mistake of the test."""
    file = tmp_path / "book.vcf"
    file.write_text(ODD_BOOK)

    with pytest.raises(AdminError, match="Nothing was imported, since a part would be left out"):
        ann.import_file(file, strict=True)
    with pytest.raises(ValueError, match=r"must end in \.ics or \.vcf"):
        ann.import_file(tmp_path / "mail.eml")
    assert contacts_of(ann) == []


def test_a_seed_that_is_not_taken_whole(ann: Connection) -> None:
    """A test is warned of what its seed left out."""
    seed = {"address": "o@example.com", "display_name": "O", "contacts": [{"name": "Contacts", "vcf": ODD_BOOK}]}

    with pytest.warns(UserWarning, match=r"loaded without 1 of its parts: .*card \"Ann\": It is not a property"):
        ann.sandbox.connect("odd", seed=seed)
