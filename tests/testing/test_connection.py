"""What a client gets of a connection: httpx in and out of an event loop, and Microsoft's own client."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from azure.connectors.sdk import ConnectorException

from outlook_emulator.testing import Connection


def test_http(ann: Connection) -> None:
    """The client starts at the runtime URL with a credential, and is the same each time."""
    answer = ann.http.get("/testconnection")

    assert (200, ann.url + "/testconnection") == (answer.status_code, str(answer.url))
    assert ann.http is ann.http


def test_http_inside_of_an_event_loop(ann: Connection) -> None:
    """A test that runs in an event loop may use the same client: the emulator answers from another thread."""

    async def test() -> int:
        return ann.http.get("/testconnection").status_code

    assert 200 == asyncio.run(test())


def test_async_http(ann: Connection) -> None:
    """For the code in the loop there is one that waits for its turn, for many calls at a time."""

    async def test() -> list[int]:
        async with ann.async_http() as http:
            answers = await asyncio.gather(*(http.get("/testconnection") for _ in range(20)))
        return [answer.status_code for answer in answers]

    assert [200] * 20 == asyncio.run(test())


def test_the_clients_end_with_the_sandbox(ann: Connection) -> None:
    """Once the sandbox is closed, so are its clients; closing it again changes nothing."""
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
    """It is ready to be used: reads, writes, odd ids and odd texts, and what is refused."""
    ann.deliver(subject="Grüße & more")
    batch = call(ann, "get_emails_async", folder_path="Inbox", fetch_only_unread=False)
    (mail,) = ann.mails()
    call(ann, "delete_email_async", mail["Id"])

    assert "Grüße & more" in str(batch)
    assert [] == ann.mails()
    with pytest.raises(ConnectorException, match="failed with status 404"):
        call(ann, "delete_email_async", mail["Id"])


def test_an_option_that_there_is_not(ann: Connection) -> None:
    """Options are those of Microsoft's client."""
    with pytest.raises(TypeError, match="attempts"):
        ann.client(attempts=1)


def test_without_microsofts_client(ann: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, that is said, and what to install."""
    monkeypatch.setitem(sys.modules, "azure.connectors.outlook", None)

    with pytest.raises(ModuleNotFoundError, match="pip install azure-connectors aiohttp"):
        ann.client()
