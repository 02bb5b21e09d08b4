"""Access to the admin API and the pages: foreign host names, pages of other origins, requests without the token."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from outlook_emulator.errors import AccessDenied, AdminTokenRequired
from outlook_emulator.server.hosts import Hosts

if TYPE_CHECKING:
    from starlette.requests import Request

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may look like (RFC 6750)."""


class Gate:
    """Checks the callers of the admin API. Raises ValueError for a token that is not valid in a header."""

    def __init__(self, token: str, hosts: Hosts) -> None:
        if token and not _TOKEN.fullmatch(token):
            raise ValueError("the admin token must have only letters, digits and -._~+/, and may end in =")
        self._token = token.encode("ascii")
        self._hosts = hosts

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    def check_host(self, request: Request) -> None:
        """Raise MisdirectedRequest for a host name that is not the server's."""
        self._hosts.check(request.scope, request.headers.get("host", "").encode("latin-1"))

    def accepts(self, token: str) -> bool:
        """Whether a text is the token."""
        # Takes as long for every wrong token, so that the time tells nothing about the right one.
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token)

    def check_token(self, request: Request) -> None:
        """Raise AdminTokenRequired if a token is set and the request does not carry it."""
        if not self._token:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AdminTokenRequired()
        if not self.accepts(token.strip()):
            raise AdminTokenRequired("The bearer token is not the admin token that this emulator was started with.")

    def check_origin(self, request: Request) -> None:
        """Raise AccessDenied for a page of another origin, which must not control an emulator on the user's machine."""
        # Browsers send no Origin with the form of a GET, nor for an image.
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise AccessDenied("The admin API accepts no requests from pages of other sites.")
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise AccessDenied(f"The emulator accepts no requests from pages of '{origin[:200]}'.")
