"""Who may see the pages: a cookie in place of the admin token, and a token in forms against forgery."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from outlook_emulator.errors import AccessDenied
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.web.page import ROOT

FORM_TOKEN = "form_token"
"""The name of the field that holds the token against forgery."""


class Sessions:
    """The sessions of a server, which all end with its process. Without an admin token nobody needs one."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._secret = secrets.token_bytes(32)

    def is_open_to(self, request: Request) -> bool:
        """Whether a request may see the pages."""
        if not self._gate.has_token:
            return True
        cookie = request.cookies.get(_cookie_of(request), "")
        return hmac.compare_digest(cookie.encode("utf-8", "surrogateescape"), self._sign("session").encode())

    def log_in(self, request: Request, response: Response) -> None:
        """Give a browser that sent the admin token the cookie of the session."""
        response.set_cookie(
            _cookie_of(request),
            self._sign("session"),
            path=ROOT,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def log_out(self, request: Request, response: Response) -> None:
        response.delete_cookie(_cookie_of(request), path=ROOT)

    @property
    def form_token(self) -> str:
        """The token that forms carry. Only pages of this server can read it."""
        return self._sign("form")

    def check_form(self, request: Request, token: str) -> None:
        """Raise AccessDenied for a form that no page of this server sent."""
        self._gate.check_origin(request)
        site = request.headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none"):
            raise AccessDenied("The emulator accepts no forms from pages of other origins.")
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self.form_token.encode()):
            raise AccessDenied("The form has no valid token. Tokens end with the server: load the page again.")

    def _sign(self, purpose: str) -> str:
        return hmac.new(self._secret, purpose.encode(), sha256).hexdigest()


def _cookie_of(request: Request) -> str:
    # Browsers share cookies between the ports of a host, and each port may have an emulator of its own.
    return f"outlook-emulator-{request.url.port or 'default'}"
