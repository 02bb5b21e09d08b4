"""The record that declares an operation of the admin API, and the request that its handler gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from outlook_emulator.errors import NotFound
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store.records import Owner

if TYPE_CHECKING:
    from outlook_emulator.server.webhooks.webhooks import Webhooks

MIME = "message/rfc822"


class AdminRequest(Frozen):
    """A request to the admin API, read and checked against the declaration of its operation.

    `path` holds the parameters of the path. `content` is the body as it was sent. `body` is the JSON object in it, None
    if the operation accepts none or the body is a MIME message. `query` holds the parameters of the query string by
    their Python names. `file` is what the operation's `reads` makes of a file or a message in the body.
    """

    http: Request
    sandboxes: Sandboxes
    webhooks: Webhooks
    path: Mapping[str, str]
    content: bytes
    body: Any
    query: dict[str, Any]
    file: Any = None

    @cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox that the path names. Raises SandboxNotFound."""
        return self.sandboxes.named(self.path["sandbox"])

    @property
    def connection(self) -> tuple[str, Owner]:
        """The id of the connection that the path names, and the owner of its mailbox. Raises NotFound."""
        id = self.path["connection"]
        # First, since an unknown sandbox is the first error.
        sandbox = self.sandbox
        place, owner, _ = self.sandboxes.look_up(id)
        if owner is None or place is not sandbox:
            raise NotFound(f"No connection '{id[:130]}' exists in this sandbox.")
        return id, owner

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox of the connection that the path names. Raises NotFound."""
        return self.sandbox.mailbox(self.connection[1])


class AdminOperation(Frozen, kw_only=True):
    """One operation of the admin API.

    `handler` takes the request and returns, or returns an awaitable of, what `returns` declares; None is an empty body.
    `query` declares the parameters of the query string, `accepts` the JSON of the body. A body may instead be a file of
    the media type `accepts_type`, or a MIME message if `mime_query` declares the parameters that go with one. A file
    in the response has the media type `returns_type`. `most_bytes` picks the limit of the body from the settings. A
    `strict` operation rejects unknown members and parameters, so that a misspelt one does not pass unnoticed.

    `reads` parses a file or a MIME message in the body, and uses no database. `is_long` says that the handler may take
    long even for a small request. A handler returns a function instead of a result if the rest needs no database.
    """

    id: str
    method: str
    path: str
    summary: str
    handler: Callable[[AdminRequest], Any]
    query: type | None = None
    accepts: Any = None
    accepts_type: str | None = None
    mime_query: type | None = None
    most_bytes: Callable[[Settings], int] = lambda settings: settings.max_body_bytes
    returns: Any = None
    returns_type: str = MIME
    status: int = 200
    strict: bool = True
    reads: Callable[[AdminRequest], Any] | None = None
    is_long: bool = False
