"""One request to the admin API, and the record that declares one of its verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from outlook_emulator.errors import NotFound
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.store.records import Owner

if TYPE_CHECKING:
    from outlook_emulator.server.webhooks.courier import Webhooks

MIME = "message/rfc822"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the admin API.

    `body` is read against the row's shape, None where there is none or a whole mail came instead; `query` holds the
    row's parameters, or those that came with such a mail. `webhooks` know when something is written.
    """

    sandboxes: Sandboxes
    request: Request
    raw: bytes
    body: Any
    query: dict[str, Any]
    webhooks: Webhooks

    @property
    def sandbox(self) -> Sandbox:
        return self.sandboxes.named(self.request.path_params["sandbox"])

    @property
    def connection(self) -> tuple[str, Owner]:
        id: str = self.request.path_params["connection"]
        owner = self.sandbox.connections().get(id)
        if owner is None:
            raise NotFound(f"No connection '{id[:130]}' exists in this sandbox.")
        return id, owner

    @property
    def mailbox(self) -> Mailbox:
        return self.sandbox.mailbox(self.connection[1])


@dataclass(frozen=True, kw_only=True)
class AdminOperation:
    """One row of the admin API. `run` gives what it returns, or something to await that does.

    `query` declares the parameters of its query. `mime_query` lets the body be a whole mail instead of JSON, and
    declares the parameters that go with one; `accepts_type` is the media type of a body that is a file, `answers_type`
    that of an answer that is one. A `strict` row refuses members that the shape of its body does not have.
    """

    id: str
    method: str
    path: str
    summary: str
    run: Callable[[Call], Any]
    query: type | None = None
    accepts: Any = None
    returns: Any = None
    status: int = 200
    mime_query: type | None = None
    accepts_type: str | None = None
    answers_type: str = MIME
    strict: bool = False
