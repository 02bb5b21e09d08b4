"""An emulator to create sandboxes in: a running server, or an app in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from secrets import token_hex
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from outlook_emulator.testing.admin import instant, json_object, path_of
from outlook_emulator.testing.emulator import CREDENTIAL, IDENTITY_HEADER, Emulator
from outlook_emulator.testing.sandbox import Connection, Sandbox, Seed, new_connection
from outlook_emulator.testing.target import AppTarget, Target

if TYPE_CHECKING:
    from outlook_emulator.clock import Clock
    from outlook_emulator.settings import Settings

# A name has at most 64 characters, and its random part takes 13 of them.
_LONGEST_LABEL = 40


class Server(Emulator):
    """An emulator to create sandboxes in; close it, or use it in a `with` statement.

    It deletes the sandboxes that it created, and touches no others.
    """

    def __init__(
        self,
        target: str | Target,
        *,
        token: str = "",
        ca_file: str | None = None,
        credential: str = CREDENTIAL,
        identity_header: str = IDENTITY_HEADER,
    ) -> None:
        super().__init__(target, token=token, ca_file=ca_file, credential=credential, identity_header=identity_header)
        self._admin = self.admin("")
        self._sandboxes: list[Sandbox] = []

    @classmethod
    def in_process(cls, settings: Settings | None = None, clock: Clock | None = None) -> Server:
        """A new app in this process, without a socket; takes what `outlook_emulator.create_app` takes."""
        from outlook_emulator.app import create_app

        return cls(AppTarget(create_app(settings, clock)), **_credentials(settings))

    @classmethod
    @contextmanager
    def started(cls, settings: Settings | None = None, clock: Clock | None = None) -> Iterator[Server]:
        """A new server in a thread for as long as the block lasts; takes what `outlook_emulator.running` takes."""
        from outlook_emulator.serving import running

        credentials = _credentials(settings)
        with (
            running(settings, clock) as emulator,
            cls(emulator.url, ca_file=emulator.ca_file, **credentials) as server,
        ):
            yield server

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def sandbox(self, label: str = "test", *, clock: str | datetime | None = None) -> Sandbox:
        """Create a sandbox with a unique name that starts with the label.

        With `clock`, the clock of the sandbox is frozen at that instant, which may lie in the past. Raises AdminError.
        """
        return self._create(_unique_name(label), clock, [])

    def connect(
        self,
        name: str | None = None,
        address: str | None = None,
        *,
        label: str = "test",
        clock: str | datetime | None = None,
        seed: Seed | None = None,
        **mailbox: Any,
    ) -> Connection:
        """Create a sandbox and a mailbox in it; takes the arguments of `sandbox` and of `Sandbox.connect`."""
        if seed is not None:
            return self._connect_sample(self.sandbox(label, clock=clock), name, address, seed, mailbox)
        # One request instead of two, since most tests start like this.
        sandbox_name = _unique_name(label)
        connection = new_connection(sandbox_name, name or "me", address, **mailbox)
        return self._create(sandbox_name, clock, [connection]).connection(connection)

    def close(self) -> None:
        """Delete the sandboxes that were created here and still exist."""
        # A copy, since each takes itself out of the list.
        for sandbox in list(self._sandboxes):
            sandbox.close()
        self._admin.close()
        super().close()

    def _connect_sample(
        self, sandbox: Sandbox, name: str | None, address: str | None, seed: Seed, mailbox: dict[str, Any]
    ) -> Connection:
        try:
            return sandbox.connect(name, address, seed=seed, **mailbox)
        # The caller has not got the sandbox, so nobody else would delete it.
        except BaseException:
            sandbox.close()
            raise

    def _create(self, name: str, clock: str | datetime | None, connections: list[dict[str, Any]]) -> Sandbox:
        start = None if clock is None else {"set": instant(clock), "freeze": True}
        body = json_object({"clock": start, "connections": connections or None})
        # By path, not by body: a proxy in front of several servers looks there for the sandbox.
        self._admin.request("PUT", path_of("sandboxes", name), json=body)
        sandbox = Sandbox(self, name)
        self._sandboxes.append(sandbox)
        sandbox.closing.callback(self._sandboxes.remove, sandbox)
        return sandbox


def credential_for(authorization: str) -> str:
    """The credential that a server with this `authorization` setting accepts."""
    return CREDENTIAL if authorization in ("", "any", "none") else authorization


def _unique_name(label: str) -> str:
    # Random, because other processes may create sandboxes on the same server.
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', label)[:_LONGEST_LABEL]}-{token_hex(6)}"


def _credentials(settings: Settings | None) -> dict[str, str]:
    """The admin token and the connections' credential for a server with these settings."""
    if settings is None:
        return {}
    return {
        "token": settings.admin_token,
        "credential": credential_for(settings.authorization),
        "identity_header": settings.identity_header,
    }
