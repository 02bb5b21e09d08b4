"""Who may use the admin API: no page of another origin, and where a token is set, nobody without it."""

from __future__ import annotations

import hmac
import re

from starlette.requests import Request

from outlook_emulator.errors import AccessDenied, AdminTokenRequired

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may look like (RFC 6750)."""


class Gate:
    """Lets callers through to the admin API, or refuses them. Raises ValueError for a token that no header can hold."""

    def __init__(self, token: str) -> None:
        if token and not _TOKEN.fullmatch(token):
            raise ValueError("the admin token must have only letters, digits and -._~+/, and may end in =")
        self._token = token.encode("ascii")

    def check_token(self, request: Request) -> None:
        """Raises AdminTokenRequired where a token is set and the caller has no or another one."""
        if not self._token:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise AdminTokenRequired()
        if not hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            raise AdminTokenRequired("The bearer token is not the admin token that this emulator was started with.")

    def check_origin(self, request: Request) -> None:
        """Raises AccessDenied: a page that someone has open must not be able to change what is on their machine."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise AccessDenied(f"The admin API takes no requests from pages of '{origin[:200]}'.")
