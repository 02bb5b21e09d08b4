"""An emulator as a test holds it: one that is up somewhere, or an app in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from secrets import token_hex
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from outlook_emulator.testing.admin import Admin, below, given, instant
from outlook_emulator.testing.connection import Connection
from outlook_emulator.testing.sandbox import Sandbox, connection_order
from outlook_emulator.testing.wire import Sockets, Wire

if TYPE_CHECKING:
    from outlook_emulator.clock import Clock
    from outlook_emulator.settings import Settings

CREDENTIAL = "token"
"""What connections present where a server takes anything."""
_LONGEST_LABEL = 40


class Server:
    """An emulator to make sandboxes in; `close` it, or use it in a `with` statement. Nothing but them is ever touched.

    `where` is its URL, or another way to it. `token` is what its admin API demands, `ca_file` a PEM file of who vouches
    for an https URL, `credential` what connections present. `app` is the ASGI app where there is no socket.
    """

    def __init__(
        self, where: str | Wire, *, token: str = "", ca_file: str | None = None, credential: str = CREDENTIAL
    ) -> None:
        self.wire: Wire = Sockets(where, ca_file) if isinstance(where, str) else where
        self.url = self.wire.url
        self.ca_file = ca_file
        self.credential = credential
        self.app: Any = getattr(where, "app", None)
        self._token = token
        self._sandboxes = self.admin(below("sandboxes"))
        self._own: list[Sandbox] = []

    @classmethod
    def in_process(cls, settings: Settings | None = None, clock: Clock | None = None) -> Server:
        """An app of its own in this process, without a socket; see `emulator.create_app`."""
        from outlook_emulator.app import create_app
        from outlook_emulator.testing.in_process import Hosted

        return cls(Hosted(create_app(settings, clock)), **_keys(settings))

    @classmethod
    @contextmanager
    def started(cls, settings: Settings | None = None, clock: Clock | None = None) -> Iterator[Server]:
        """A server of its own in a thread, for as long as the block lasts; see `emulator.running`."""
        from outlook_emulator.serving import running

        with running(settings, clock) as up, cls(up.url, ca_file=up.ca_file, **_keys(settings)) as server:
            yield server

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> None:
        """Raise ConnectionError unless an emulator answers."""
        try:
            with httpx.Client(transport=self.transport(), trust_env=False) as http:
                http.get(f"{self.url}/readyz").raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ConnectionError(f"No emulator answers at {self.url}: {error}") from error

    def sandbox(self, label: str = "test", *, clock: str | datetime | None = None) -> Sandbox:
        """A new sandbox, whose name starts with the label and is nobody else's.

        `clock` is when it is in it: its clock stands there, be that in the past, until it is moved or follows.
        """
        return self._made(_name(label), clock, [])

    def connect(
        self,
        name: str | None = None,
        address: str | None = None,
        *,
        label: str = "test",
        clock: str | datetime | None = None,
        seed: str | None = None,
        **mailbox: Any,
    ) -> Connection:
        """A mailbox in a new sandbox of its own; see `sandbox`, and `Sandbox.connect` for what a mailbox may be."""
        if seed is not None:
            return self._loaded(self.sandbox(label, clock=clock), name, address, seed, mailbox)
        # One call instead of two, since most tests begin like this.
        world = _name(label)
        order = connection_order(world, name or "me", address, **mailbox)
        return self._made(world, clock, [order]).connection(order)

    def admin(self, path: str) -> Admin:
        """The admin API below a path."""
        return Admin(self.url, path, self.transport(), self._token)

    def transport(self) -> httpx.BaseTransport:
        """What an `httpx.Client` of one's own needs to get here, a socket or none; it ends with the server."""
        return self.wire.transport()

    def async_transport(self) -> httpx.AsyncBaseTransport:
        """The same for an `httpx.AsyncClient`: one for each event loop."""
        return self.wire.async_transport()

    def close(self) -> None:
        """Delete what was made here and is still there."""
        for one in list(self._own):
            one.close()
        self._sandboxes.close()
        self.wire.close()

    def _loaded(
        self, sandbox: Sandbox, name: str | None, address: str | None, seed: str, mailbox: dict[str, Any]
    ) -> Connection:
        try:
            return sandbox.connect(name, address, seed=seed, **mailbox)
        except BaseException:
            sandbox.close()
            raise

    def _made(self, name: str, clock: str | datetime | None, connections: list[dict[str, Any]]) -> Sandbox:
        start = None if clock is None else {"set": instant(clock), "freeze": True}
        self._sandboxes.ask("POST", json=given({"name": name, "clock": start, "connections": connections or None}))
        made = Sandbox(self, name)
        self._own.append(made)
        made.closing.callback(self._own.remove, made)
        return made


def _name(label: str) -> str:
    # By chance, not by number: others count from one as well.
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', label)[:_LONGEST_LABEL]}-{token_hex(6)}"


def credential_for(authorization: str) -> str:
    """What a server wants to see, by its setting `authorization`."""
    return CREDENTIAL if authorization in ("", "any", "none") else authorization


def _keys(settings: Settings | None) -> dict[str, str]:
    """What opens a server with these settings."""
    if settings is None:
        return {}
    return {"token": settings.admin_token, "credential": credential_for(settings.authorization)}
