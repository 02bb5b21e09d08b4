"""A connection of the connector as a test holds it: where a client calls, and what lies in the mailbox behind it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from outlook_emulator.testing.admin import below, given, instant

if TYPE_CHECKING:
    from datetime import datetime

    from azure.connectors.outlook import OutlookClient

    from outlook_emulator.testing.sandbox import Sandbox

_STRANGER = "stranger@example.org"
_MOST = 1000
"""The largest page of mails that a server gives, unless it was told otherwise."""


class Connection:
    """One connection and its mailbox, in a sandbox. Lives as long as that.

    `url` is the runtime URL that a client is given, `credential` what it may present as its bearer token.
    """

    def __init__(self, sandbox: Sandbox, id: str, address: str) -> None:
        self.sandbox = sandbox
        self.id = id
        self.address = address
        self.credential = sandbox.server.credential
        self.url = f"{sandbox.server.url}/apim/outlook/{id}"

    def __repr__(self) -> str:
        return f"<Connection {self.id} of {self.address}>"

    @cached_property
    def http(self) -> httpx.Client:
        """A client that starts at the runtime URL and carries a credential; closed with the sandbox."""
        client = httpx.Client(transport=self.sandbox.server.transport(), **self._client_options())
        self.sandbox.closing.callback(client.close)
        return client

    def async_http(self) -> httpx.AsyncClient:
        """The same for code in an event loop; new each time, and to be closed in the loop that uses it."""
        return httpx.AsyncClient(transport=self.sandbox.server.async_transport(), **self._client_options())

    def client(self, **options: Any) -> OutlookClient:
        """Microsoft's own client, ready to be used as `async with outlook.client() as client`.

        `options` are those of its `ConnectorClientOptions`, such as `max_retry_attempts=1`. Raises ModuleNotFoundError
        where the package azure-connectors is missing.
        """
        from outlook_emulator.testing.sdk import outlook_client

        return outlook_client(self.url, self.credential, self.sandbox.server.wire, options)

    def deliver(
        self,
        mime: bytes | Path | None = None,
        *,
        sender: str | None = None,
        to: str | None = None,
        cc: str | None = None,
        subject: str | None = None,
        text: str | None = None,
        html: str | None = None,
        importance: str | None = None,
        attachments: list[dict[str, Any]] | None = None,
        folder: str | None = None,
        received: str | datetime | None = None,
        is_read: bool | None = None,
        is_flagged: bool | None = None,
    ) -> dict[str, Any]:
        """Let a mail from outside arrive, and give the message that it became, as the connector shows it.

        Either it comes whole, as bytes or as the path of an `.eml` file, or in parts; one without a `sender` is from
        stranger@example.org. It goes to the inbox, now and unread, unless `folder` and what follows say otherwise.
        Raises Refused and TypeError.
        """
        parts = given({"to": to, "cc": cc, "subject": subject, "text": text, "html": html, "importance": importance})
        parts |= given({"from": sender, "attachments": attachments})
        place = given({"folder": folder, "is_read": is_read, "is_flagged": is_flagged})
        if received is not None:
            place["received"] = instant(received)
        if mime is None:
            what: dict[str, Any] = {"json": {"from": _STRANGER, **parts, **place}}
        elif parts:
            raise TypeError(f"a mail that comes whole brings its own {' and '.join(parts)}")
        else:
            content = mime.read_bytes() if isinstance(mime, Path) else mime
            what = {"content": content, "params": place, "headers": {"Content-Type": "message/rfc822"}}
        path = below("connections", self.id, "deliver")
        message: dict[str, Any] = self.sandbox.admin.ask("POST", path, **what)["message"]
        return message

    def mails(self, folder: str = "Inbox", **query: Any) -> list[dict[str, Any]]:
        """The mails of a folder, read ones included, newest first; `query` holds more parameters of Get emails (V3)."""
        asked = {"folderPath": folder, "fetchOnlyUnread": False, "includeAttachments": False, "top": _MOST, **query}
        answer = self.http.get("/v2/Mail", params=asked)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def _client_options(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.credential}"}
        return {"base_url": self.url, "headers": headers, "trust_env": False}
