"""Access to the admin API: it rejects pages of other origins and, if a token is set, requests without it."""

from __future__ import annotations

import hmac
import re

from starlette.requests import Request

from outlook_emulator.errors import AccessDenied, AdminTokenRequired

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may look like (RFC 6750)."""


class Gate:
    """Checks the callers of the admin API. Raises ValueError for a token that is not valid in a header."""

    def __init__(self, token: str) -> None:
        if token and not _TOKEN.fullmatch(token):
            raise ValueError("the admin token must have only letters, digits and -._~+/, and may end in =")
        self._token = token.encode("ascii")

    def check_token(self, request: Request) -> None:
        """Raise AdminTokenRequired if a token is set and the request does not carry it."""
        if not self._token:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AdminTokenRequired()
        # Takes as long for every wrong token, so that the time tells nothing about the right one.
        if not hmac.compare_digest(token.strip().encode("latin-1"), self._token):
            raise AdminTokenRequired("The bearer token is not the admin token that this emulator was started with.")

    def check_origin(self, request: Request) -> None:
        """Raise AccessDenied for a page of another origin, which must not control an emulator on the user's machine."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise AccessDenied(f"The admin API accepts no requests from pages of '{origin[:200]}'.")
