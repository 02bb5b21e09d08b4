"""The page that asks for the admin token, where one is set."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse

from outlook_emulator.errors import InvalidField
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.web.page import ROOT, Page, PageRequest
from outlook_emulator.server.web.session import Sessions


def pages(sessions: Sessions, gate: Gate) -> list[Page]:
    """The pages to log in and out; none without an admin token."""

    def load(request: PageRequest) -> dict[str, Any]:
        return {"is_open": sessions.is_open_to(request.http)}

    def log_in(request: PageRequest) -> Any:
        if not gate.accepts(request.form.text("token")):
            raise InvalidField("token", "is not the admin token that this emulator was started with.")
        response = RedirectResponse(_target(request.query.get("next", "")), 303)
        sessions.log_in(request.http, response)
        return response

    def log_out(request: PageRequest) -> Any:
        response = RedirectResponse(request.url("/login"), 303)
        sessions.log_out(request.http, response)
        return response

    page = Page(
        path="/login",
        title="Log in",
        template="login.html",
        load=load,
        actions={"login": log_in, "logout": log_out},
        guarded=False,
    )
    return [page] if gate.has_token else []


def _target(url: str) -> str:
    """A page of this server, whatever a link says."""
    return url if url.startswith(f"{ROOT}/") and "\\" not in url else f"{ROOT}/"
