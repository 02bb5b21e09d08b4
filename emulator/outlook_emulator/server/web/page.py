"""The record that declares a page, and the request that its loader and its actions get."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.web import root
from outlook_emulator.server.web.forms import EMPTY, Form
from outlook_emulator.store.records import Owner

if TYPE_CHECKING:
    from outlook_emulator.server.web.backend import Answer, Backend

ROOT = root.ROOT
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
Values = Mapping[str, Any]
Load = Callable[["PageRequest"], "Values | Response | Awaitable[Values | Response]"]
Action = Callable[["PageRequest"], "str | Awaitable[str | None] | None"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, or one file that pages link to.

    `path` is below `/_emulator`. `title` and `template` are empty for a file, whose `load` returns a response. `nav` is
    the label of the page in the navigation of its sandbox, or of its mailbox if the path names a connection; `section`
    is the label under which other pages are found. `actions` do what the forms of the page ask for, by name. A `live`
    page follows the changes of its sandbox. A page that is not `guarded` needs no login.
    """

    path: str
    load: Load
    title: str = ""
    template: str = ""
    nav: str = ""
    section: str = ""
    actions: Mapping[str, Action] = field(default_factory=dict)
    live: bool = True
    guarded: bool = True

    @property
    def is_live(self) -> bool:
        return self.live and "{sandbox}" in self.path and bool(self.template)

    @property
    def group(self) -> Literal["server", "sandbox", "mailbox"]:
        """What the page is about, as its path says."""
        if "{connection}" in self.path:
            return "mailbox"
        return "sandbox" if "{sandbox}" in self.path else "server"


@dataclass(frozen=True)
class PageRequest:
    """A request for a page. `form` holds what a form sent; it is empty for a GET."""

    http: Request
    page: Page
    backend: Backend
    form: Form = EMPTY

    @property
    def sandboxes(self) -> Sandboxes:
        return self.backend.sandboxes

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path."""
        return self.http.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query."""
        return self.http.query_params

    @property
    def server_url(self) -> str:
        """The URL of this server, as the browser names it."""
        return str(self.http.base_url).rstrip("/")

    @cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox that the path names. Raises NotFound."""
        return self.sandboxes.named(self.path["sandbox"])

    @property
    def owner(self) -> Owner:
        """The owner of the mailbox that the path names. Raises NotFound."""
        id = self.path["connection"]
        owner = self.sandbox.connections().get(id)
        if owner is None:
            raise NotFound(f"No connection '{id[:130]}' exists in this sandbox.")
        return owner

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox that the path names. Raises NotFound."""
        return self.sandbox.mailbox(self.owner)

    def url(self, path: str, **values: Any) -> str:
        """The URL of a page by the path of its declaration; see `url_of`."""
        return url_of(path, {**self.path, **values}, values)

    async def admin(
        self,
        id: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] = {},
        content: bytes = b"",
        media_type: str = "",
        **path: str,
    ) -> Any:
        """The result of the admin operation with an id, checked as if it came over HTTP. Raises ConnectorError.

        `path` adds parameters to those of the page. `body` is sent as JSON, else `content` as it is.
        """
        sent = content if body is None else orjson.dumps(body)
        return await self.backend.admin(
            self.http, id, {**self.path, **path}, urlencode(query).encode(), sent, media_type
        )

    async def connector(
        self, method: str, connection: str, path: str, body: Any = None, *, query: Mapping[str, Any] = {}
    ) -> Answer:
        """What the connector answers, past journal, limits and faults. `path` is without the connection id, encoded."""
        return await self.backend.connector(self.http, method, connection, path, urlencode(query).encode(), body)

    async def submit(self, method: str, path: str, body: Any = None, *, connection: str = "") -> Any:
        """The JSON that the connector answers, for the mailbox of the page by default. Raises InvalidRequest."""
        answer = await self.connector(method, connection or self.path["connection"], path, body)
        if answer.status >= 400:
            raise InvalidRequest(answer.error)
        return answer.json


def url_of(path: str, values: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The URL of a page. `values` fill the parameters of its path, those of `own` that it does not name are the query.

    Values that are None or empty are left out of the query.
    """
    names = set(_PARAMETER.findall(path))
    filled = _PARAMETER.sub(lambda match: quote(str(values[match[1]]), safe=""), path)
    query = {name: value for name, value in own.items() if name not in names and value not in (None, "")}
    return f"{ROOT}{filled}?{urlencode(query, doseq=True)}" if query else ROOT + filled


async def settled(value: Any) -> Any:
    """A value that may have to be awaited."""
    return await value if asyncio.iscoroutine(value) else value


def path_part(text: str) -> str:
    """A parameter of a path as clients of the connector send it: encoded twice."""
    return quote(quote(text, safe=""), safe="")
