"""An emulator as a client of it sees it: where it is, and what it demands of its callers."""

from __future__ import annotations

from typing import Any

import httpx

from outlook_emulator.settings import Settings
from outlook_emulator.testing.admin import Admin
from outlook_emulator.testing.target import HttpTarget, Target

IDENTITY_HEADER = Settings().identity_header
CREDENTIAL = "token"
"""What connections present to a server that accepts any credential."""


class Emulator:
    """An emulator at `target`, a URL or another way to reach it. Lives until it is closed.

    `token` is the admin token, `ca_file` a PEM file of the CA to trust for https, `credential` the bearer token of
    connections, `identity_header` what its token endpoint requires. `app` is the ASGI app, None behind a socket.
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
        self.target: Target = HttpTarget(target, ca_file) if isinstance(target, str) else target
        self.url = self.target.url
        self.ca_file = ca_file
        self.credential = credential
        self.identity_header = identity_header
        self.app: Any = self.target.app
        self._token = token

    def check(self) -> None:
        """Raise ConnectionError unless an emulator responds."""
        try:
            with httpx.Client(transport=self.transport(), trust_env=False) as http:
                http.get(f"{self.url}/readyz").raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ConnectionError(f"No emulator responds at {self.url}: {error}") from error

    def admin(self, path: str) -> Admin:
        """A client of the admin API below a path."""
        return Admin(self.target, path, self._token)

    def transport(self) -> httpx.BaseTransport:
        """A transport for an `httpx.Client` of your own, with a socket or without; it closes with the emulator."""
        return self.target.transport()

    def async_transport(self) -> httpx.AsyncBaseTransport:
        """A transport for one `httpx.AsyncClient` of your own."""
        return self.target.async_transport()

    def close(self) -> None:
        self.target.close()
