"""The routes of the pages, of their static files and of the event streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, Router, request_response

from outlook_emulator.errors import AdminTokenRequired, ConnectorError, InvalidRequest, NotFound
from outlook_emulator.sandbox.aside import aside
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.connector.exchange import read_body
from outlook_emulator.server.unexpected import error_of
from outlook_emulator.server.web import live, login, static
from outlook_emulator.server.web.backend import Backend
from outlook_emulator.server.web.forms import EMPTY, Form, read_form
from outlook_emulator.server.web.page import ROOT, Page, PageRequest, settled, url_of
from outlook_emulator.server.web.pages import PAGES
from outlook_emulator.server.web.render import is_prepared, prepare, render
from outlook_emulator.server.web.session import FORM_TOKEN, Sessions
from outlook_emulator.server.webhooks.webhooks import Webhooks

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every page. A loader that returns a response may set its own."""


def router(sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate) -> Router:
    """The app of all pages."""
    site = Site(Backend(sandboxes, webhooks), Sessions(gate), gate)
    pages = (*login.pages(site.sessions, gate), *PAGES)
    return Router(
        [
            Route(f"{ROOT}/static/{{version}}/{{name:path}}", static.respond),
            Route(f"{ROOT}/s/{{sandbox}}/live", site.respond_live),
            Route(f"{ROOT}/s/{{sandbox}}", site.respond_without_slash),
            *(Route(ROOT + page.path, _Endpoint(site, page).respond, methods=["GET", "POST"]) for page in pages),
        ],
        redirect_slashes=False,
        default=request_response(_Endpoint(site, _MISSING).respond),
    )


@dataclass(frozen=True)
class Site:
    """What all pages share. Lives as long as the app."""

    backend: Backend
    sessions: Sessions
    gate: Gate

    async def respond_without_slash(self, http: Request) -> Response:
        return RedirectResponse(url_of("/s/{sandbox}/", http.path_params, {}), 307)

    async def respond_live(self, http: Request) -> Response:
        """The event stream of a sandbox."""
        try:
            self.gate.check_host(http)
            self.gate.check_origin(http)
            if not self.sessions.is_open_to(http):
                raise AdminTokenRequired()
            sandbox = self.backend.sandboxes.named(http.path_params["sandbox"])
        except ConnectorError as error:
            return Response(error.message, error.status, SECURITY, "text/plain")
        return StreamingResponse(live.changes_of(sandbox), 200, SECURITY, "text/event-stream")


@dataclass(frozen=True)
class Failure:
    """A form that was refused: its action, the error's text and field, and the values to show again."""

    action: str
    text: str
    field: str
    form: Form


@dataclass(frozen=True)
class _Endpoint:
    """One page."""

    site: Site
    page: Page

    async def respond(self, http: Request) -> Response:
        """Handle one request, start to finish."""
        sandbox = self._sandbox_of(http)
        try:
            self.site.gate.check_host(http)
            if self.page.guarded and not self.site.sessions.is_open_to(http):
                return _to_login(http)
            request = PageRequest(http, self.page, self.site.backend)
            return await (self._submit(request) if http.method == "POST" else self._show(request))
        except ConnectorError as error:
            return self._error(http, error)
        except Exception as error:
            sandboxes = self.site.backend.sandboxes
            concerned = sandboxes.opened() if sandbox is None else [sandbox]
            return self._error(http, await error_of(sandboxes, error, f"The page {http.scope['path']}", concerned))

    async def _show(self, request: PageRequest, failure: Failure | None = None, status: int = 200) -> Response:
        await self._turn(request)
        values = await settled(self.page.load(request))
        if isinstance(values, Response):
            for name, value in SECURITY.items():
                values.headers.setdefault(name, value)
            return values
        if not is_prepared(self.page):
            await aside(prepare, self.page)
        return self._render(request, values, failure, status)

    def _render(
        self, request: PageRequest, values: Mapping[str, Any], failure: Failure | None, status: int
    ) -> Response:
        text = render(request, {"failure": failure, **values}, self.site.sessions.form_token, self.site.gate.has_token)
        return Response(text, status, SECURITY, "text/html")

    async def _turn(self, request: PageRequest) -> None:
        """Wait until no long work has the database; the loop and all other sandboxes would wait with it otherwise."""
        if (sandbox := self._sandbox_of(request.http)) is not None:
            await sandbox.turn.free()

    def _sandbox_of(self, http: Request) -> Sandbox | None:
        return self.site.backend.sandboxes.get(http.path_params.get("sandbox", ""))

    async def _submit(self, request: PageRequest) -> Response:
        http = request.http
        settings = self.site.backend.sandboxes.settings
        # A form may hold the file of a sandbox; its other fields are short.
        limit = max(settings.max_body_bytes, settings.max_export_bytes + _FIELDS)
        content = await read_body(http.scope, http.receive, limit)
        form = read_form(content, http.headers.get("content-type", ""))
        self.site.sessions.check_form(http, form.text(FORM_TOKEN))
        name = form.text("action")
        action = self.page.actions.get(name)
        if action is None:
            raise InvalidRequest(f"This page has no form '{name[:50]}'.")
        await self._turn(request)
        sandbox = self._sandbox_of(http)
        try:
            target = await settled(action(PageRequest(http, self.page, self.site.backend, form)))
        except ConnectorError as error:
            failure = Failure(name, error.original, error.field or "", form)
            return await self._show(PageRequest(http, self.page, self.site.backend), failure, error.status)
        finally:
            if sandbox is not None:
                self.site.backend.webhooks.wake(sandbox)
        if isinstance(target, Response):
            return target
        return RedirectResponse(target or _here(http), 303, SECURITY)

    def _error(self, http: Request, error: ConnectorError) -> Response:
        page = Page(path="", title=_TITLES.get(error.status, "Error"), template="error.html", load=_nothing)
        request = PageRequest(http, page, self.site.backend, EMPTY)
        is_missing = isinstance(error, NotFound)
        return self._render_error(request, {"status": error.status, "text": error.original, "is_missing": is_missing})

    def _render_error(self, request: PageRequest, values: dict[str, Any]) -> Response:
        return Response(render(request, values, "", False), values["status"], SECURITY, "text/html")


def _miss(request: PageRequest) -> Mapping[str, Any]:
    raise NotFound(f"There is no page '{request.http.scope['path'][:200]}'.")


_FIELDS = 1024 * 1024
"""How many bytes the fields of a form may have beside a file."""
_MISSING = Page(path="", load=_miss)
_TITLES = {403: "Refused", 404: "Not found", 413: "Too large", 421: "Wrong host name", 500: "The page failed"}


def _nothing(request: PageRequest) -> Mapping[str, Any]:
    return {}


def _here(http: Request) -> str:
    query = http.url.query
    path = http.scope["raw_path"].decode("latin-1").partition("?")[0]
    return f"{path}?{query}" if query else path


def _to_login(http: Request) -> Response:
    return RedirectResponse(url_of("/login", {}, {"next": _here(http)}), 303, SECURITY)
