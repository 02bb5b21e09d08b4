"""A sandbox and the connections of its mailboxes, as a test uses them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from outlook_emulator import seed_folder
from outlook_emulator.environment import changes
from outlook_emulator.testing.admin import AdminError, instant, json_object, path_of, plain
from outlook_emulator.testing.callbacks import Callbacks
from outlook_emulator.testing.clock import Clock
from outlook_emulator.testing.emulator import Emulator
from outlook_emulator.testing.faults import Faults
from outlook_emulator.testing.journal import Journal
from outlook_emulator.testing.outbox import Outbox
from outlook_emulator.testing.snapshots import Snapshots
from outlook_emulator.testing.waiting import wait_for

if TYPE_CHECKING:
    from datetime import datetime

    from azure.connectors.outlook import OutlookClient

Seed = str | Path | Mapping[str, Any]
"""A sample mailbox: the name of one that ships, a folder with a `mailbox.toml`, or a mapping with its keys."""
_DEFAULT_SENDER = "stranger@example.org"
_WARNED = 10
_IMPORTS = {".ics": ("calendars", "Calendar"), ".vcf": ("contactfolders", "Contacts")}
"""Where the items of a file go: the kind of folder in the admin API, and the default folder."""
_LARGEST_PAGE = 1000
"""The largest page of mails that a server returns with its default settings."""


class Sandbox:
    """One sandbox: mailboxes, clock, faults and journal. Lives until it is closed, which deletes it on the server.

    `admin` sends requests to the admin API of the sandbox, for everything that has no method here. `closing` is an
    ExitStack that closes with the sandbox.
    """

    def __init__(self, server: Emulator, name: str) -> None:
        self.server = server
        self.name = name
        self.closing = ExitStack()
        self.admin = server.admin(path_of("sandboxes", name))
        self.closing.callback(self.admin.close)
        self.clock = Clock(self.admin)
        self.faults = Faults(self.admin)
        self.outbox = Outbox(self.admin)
        self.journal = Journal(self.admin)
        self.callbacks = Callbacks(self.admin)
        self.snapshots = Snapshots(self.admin)

    def __repr__(self) -> str:
        return f"<Sandbox {self.name} at {self.server.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(
        self,
        name: str | None = None,
        address: str | None = None,
        *,
        seed: Seed | None = None,
        display_name: str | None = None,
        send_as: list[str] | None = None,
        mails: list[dict[str, Any]] | None = None,
    ) -> Connection:
        """Add a mailbox and its connection. Raises AdminError and TypeError.

        The connection's id ends with `name`; the default address starts with it. `mails` are delivered at once. `seed`
        loads a sample mailbox, which has its own address, display name and mails: by the name of one that ships, from
        the path of a folder with a `mailbox.toml`, or described by a mapping with the keys of such a file. Warns of
        parts of its files that were left out.
        """
        if seed is not None:
            _check_sample_options(address=address, display_name=display_name, send_as=send_as, mails=mails)
            return self._load_sample(seed, name)
        body = new_connection(self.name, name or "me", address, display_name, send_as, mails)
        return self.connection(self.admin.request("POST", "/connections", json=body))

    def connection(self, state: dict[str, Any]) -> Connection:
        """The connection with the `id` and `address` of a JSON object of the admin API."""
        return Connection(self, state["id"], state["address"])

    def wait(self, *, timeout: float = 10, **conditions: Any) -> list[dict[str, Any]]:
        """Wait up to `timeout` seconds for items that match all conditions, and return them.

        Conditions are `kind` (mail, event, callback or poke), `subject`, `sender`, `recipient`, `connection`, `folder`,
        `text`, `newer_than`, `url`, `reference`, `until` and `count`. Raises AssertionError with the nearest misses
        after the timeout, TypeError for an unknown condition, and AdminError.
        """
        return wait_for(self.admin, timeout, conditions)

    def answer(self, option: str, *, subject: str = "") -> dict[str, Any]:
        """Choose an option of the newest open approval mail or mail with options, as a click in the mail does.

        `subject` is a part of the mail's subject. Returns the question as the admin API describes it. Raises
        AssertionError if no question is open, and AdminError.
        """
        questions = self.admin.request("GET", "/questions")["value"]
        open_questions = [
            question for question in questions if question["answer"] is None and not question["withdrawn"]
        ]
        matches = [question for question in open_questions if subject.casefold() in question["subject"].casefold()]
        if not matches:
            subjects = [question["subject"] for question in open_questions]
            raise AssertionError(f"No open question has {subject!r} in its subject. Open questions: {subjects}.")
        # The admin API lists the oldest first.
        path = path_of("questions", matches[-1]["id"], "answer")
        answered: dict[str, Any] = self.admin.request("POST", path, json={"option": option})
        return answered

    def limits(self, **changes: Any) -> dict[str, Any]:
        """Change the connector's limits, such as `calls=5`, and return all; 0 removes a limit. Raises AdminError."""
        if not changes:
            current: dict[str, Any] = self.admin.request("GET", "/limits")
            return current
        changed: dict[str, Any] = self.admin.request("PATCH", "/limits", json=json_object(changes))
        return changed

    def close(self) -> None:
        """Delete the sandbox. Does nothing if that has happened already."""
        if self.admin.is_closed:
            return
        # The clients close even if the request fails.
        with self.closing:
            try:
                self.admin.request("DELETE")
            except AdminError as error:
                # The test may have deleted the sandbox itself.
                if error.status != 404:
                    raise

    def _load_sample(self, seed: Seed, name: str | None) -> Connection:
        if isinstance(seed, Path):
            folder = seed.resolve()
            content, query = seed_folder.packed(folder), {"connection": f"{self.name}.{name or folder.name}"}
            return self._seeded(self.admin.request("POST", "/seed-zip", content=content, params=query))
        body: dict[str, Any] = {"name": seed} if isinstance(seed, str) else {"name": "me", "mailbox": plain(seed)}
        body["connection"] = f"{self.name}.{name or body['name']}"
        return self._seeded(self.admin.request("POST", "/seed", json=body))

    def _seeded(self, state: dict[str, Any]) -> Connection:
        """The connection of a loaded mailbox, with a warning about the parts that were left out."""
        if skipped := state["skipped"]:
            parts = "; ".join(f"{part['item']}: {part['reason']}" for part in skipped[:_WARNED])
            warnings.warn(f"The seed was loaded without {len(skipped)} of its parts: {parts}", stacklevel=4)
        return self.connection(state)


class Connection:
    """One connection and its mailbox. Lives as long as its sandbox.

    `url` is the runtime URL for the code under test, `credential` the bearer token that it may present.
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
        """A client with the runtime URL as its base URL and a credential; it closes with the sandbox."""
        client = httpx.Client(transport=self.sandbox.server.transport(), **self._client_options())
        self.sandbox.closing.callback(client.close)
        return client

    def async_http(self) -> httpx.AsyncClient:
        """A new asynchronous client of the same kind; close it in the event loop that uses it."""
        return httpx.AsyncClient(transport=self.sandbox.server.async_transport(), **self._client_options())

    def client(self, **options: Any) -> OutlookClient:
        """Microsoft's own client, for use as `async with outlook.client() as client`.

        `options` are those of its `ConnectorClientOptions`, such as `max_retry_attempts=1`. Raises ModuleNotFoundError
        if the package azure-connectors is not installed.
        """
        from outlook_emulator.testing.microsoft_client import outlook_client

        return outlook_client(self.url, self.credential, options, self.sandbox.server.target.aiohttp_session)

    def environment(self, folder: Path) -> dict[str, str | None]:
        """The environment variables that lead a program to this connection; those to remove are None.

        They hold its URL, a token endpoint for Azure's libraries, and for https the certificates to trust, which are
        written to `folder`. Raises ValueError without a socket.
        """
        server = self.sandbox.server
        if server.app is not None:
            raise ValueError("this emulator has no URL: it is an app in the process of the test")
        return changes(server.url, self.url, server.identity_header, server.ca_file, folder)

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
        """Deliver a mail from outside, and return the message as the connector shows it.

        The mail is either `mime`, as bytes or as the path of an `.eml` file, or made from parts. The default sender is
        stranger@example.org. By default the mail arrives now, unread, in the inbox. Raises AdminError and TypeError.
        """
        parts = json_object({"to": to, "cc": cc, "subject": subject, "text": text, "html": html})
        parts |= json_object({"from": sender, "importance": importance, "attachments": attachments})
        placement = json_object({"folder": folder, "is_read": is_read, "is_flagged": is_flagged})
        if received is not None:
            placement["received"] = instant(received)
        if mime is None:
            request: dict[str, Any] = {"json": {"from": _DEFAULT_SENDER, **parts, **placement}}
        elif parts:
            raise TypeError(f"a whole MIME message cannot be combined with {' and '.join(parts)}")
        else:
            content = mime.read_bytes() if isinstance(mime, Path) else mime
            request = {"content": content, "params": placement, "headers": {"Content-Type": "message/rfc822"}}
        path = path_of("connections", self.id, "deliver")
        message: dict[str, Any] = self.sandbox.admin.request("POST", path, **request)["message"]
        return message

    def import_file(self, file: Path, *, folder: str | None = None, strict: bool = False) -> dict[str, Any]:
        """Import a file of events (.ics) or contacts (.vcf) into a folder, by default the usual one.

        Returns the `ids` of the items, and the parts that were `skipped`, each with `item`, `line` and `reason`. With
        `strict`, nothing is imported if a part would be skipped. Raises AdminError, OSError, and ValueError for
        another kind of file.
        """
        if (places := _IMPORTS.get(file.suffix.lower())) is None:
            raise ValueError(f"the name of {file} must end in .ics or .vcf")
        path = path_of("connections", self.id, places[0], folder or places[1], "import")
        query = {"strict": "true"} if strict else {}
        imported: dict[str, Any] = self.sandbox.admin.request("POST", path, content=file.read_bytes(), params=query)
        return imported

    def mails(self, folder: str = "Inbox", **query: Any) -> list[dict[str, Any]]:
        """The mails of a folder, newest first, read and unread; `query` adds parameters of Get emails (V2)."""
        # By its defaults, the operation returns ten unread mails.
        parameters = {"fetchOnlyUnread": False, "includeAttachments": False, "top": _LARGEST_PAGE, **query}
        response = self.http.get("/v2/Mail", params={"folderPath": folder, **parameters})
        response.raise_for_status()
        mails: list[dict[str, Any]] = response.json()["value"]
        return mails

    def _client_options(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.credential}"}
        # Not through a proxy of the environment, which cannot reach this machine's own addresses.
        return {"base_url": self.url, "headers": headers, "trust_env": False}


def new_connection(
    sandbox: str,
    name: str,
    address: str | None = None,
    display_name: str | None = None,
    send_as: list[str] | None = None,
    mails: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The JSON that adds a connection. Its id is SANDBOX.NAME: unique on a server, and known to a proxy."""
    body = {"id": f"{sandbox}.{name}", "address": address or f"{name}@example.com"}
    return body | json_object({"display_name": display_name, "send_as": send_as, "mails": mails})


def _check_sample_options(**options: Any) -> None:
    if names := [name for name, value in options.items() if value is not None]:
        raise TypeError(f"a sample mailbox has its own {' and '.join(names)}")
