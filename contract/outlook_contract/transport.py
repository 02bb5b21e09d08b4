"""The one way to a target: every request is authorized, paced, guarded and recorded here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import httpx

from outlook_contract import routes
from outlook_contract.exchange import Exchange

_LONGEST_WAIT = 120.0
"""Seconds; a longer `Retry-After` is the caller's to see."""
_CHANGING_READS = frozenset({"ReceiveResponseGet"})
"""Operations that change something although they are read with GET."""


class ReadOnly(Exception):
    """A check wanted to change something in a run that must not."""


class Access(NamedTuple):
    """How to reach one connection. `authorization` gives the header's value, anew for each request."""

    url: str
    authorization: Callable[[], str]


class Pace:
    """Spreads requests evenly over time. All connections of a run share one."""

    def __init__(self, per_minute: int) -> None:
        self._gap = 60 / per_minute if per_minute > 0 else 0.0
        self._next = 0.0

    def wait(self) -> None:
        """Wait for the next turn."""
        if self._gap:
            now = time.monotonic()
            if self._next > now:
                time.sleep(self._next - now)
            self._next = max(now, self._next) + self._gap


class CarefulTransport(httpx.BaseTransport):
    """Wraps a transport to one connection. `exchanges` holds what went over it, oldest first.

    `pace` may be replaced. `has_changed` says whether a request went over it that may have changed something.

    A 429 is sent again after `Retry-After`, unless `patient` is false. Raises ReadOnly for a request that changes
    something when `read_only`. The request extension `authorization` is sent in place of the credential; the text
    `none`, there or as header, sends none.
    """

    def __init__(self, inner: httpx.BaseTransport, access: Access, pace: Pace, *, read_only: bool = False) -> None:
        self._inner = inner
        self._access = access
        self.pace = pace
        self.read_only = read_only
        self._base = httpx.URL(access.url).raw_path.decode("ascii").rstrip("/")
        self.exchanges: list[Exchange] = []
        self.on_exchange: Callable[[Exchange], object] = lambda exchange: None
        self.patient = True
        self.has_changed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        route = self._route(request.method, path)
        operation = route.id if route else None
        if self.read_only and (request.method != "GET" or operation in _CHANGING_READS):
            raise ReadOnly(f"{request.method} {path} would change something")
        # Set before the request is sent: an interrupt may come before its response.
        self.has_changed |= request.method != "GET"
        authorization = request.extensions.get("authorization", request.headers.get("Authorization"))
        if authorization == "none":
            request.headers.pop("Authorization", None)
        elif "authorization" in request.extensions:
            request.headers["Authorization"] = authorization
        else:
            request.headers["Authorization"] = self._access.authorization()
        while True:
            response = self._send(request, operation)
            wait = _retry_after(response)
            if response.status_code != 429 or not self.patient or wait is None or wait > _LONGEST_WAIT:
                return response
            time.sleep(wait)

    def close(self) -> None:
        self._inner.close()

    def _send(self, request: httpx.Request, operation: str | None) -> httpx.Response:
        self.pace.wait()
        body = request.read()
        started, clock = time.time(), time.perf_counter()
        response = self._inner.handle_request(request)
        content = response.read()
        exchange = Exchange(
            operation=operation,
            method=request.method,
            url=str(request.url),
            request_headers=request.headers.copy(),
            request_body=body,
            status=response.status_code,
            headers=response.headers,
            body=content,
            started=started,
            seconds=time.perf_counter() - clock,
        )
        self.exchanges.append(exchange)
        self.on_exchange(exchange)
        return response

    def _route(self, method: str, path: str) -> routes.Route | None:
        root = self._base.rpartition("/")[0]
        below = path.removeprefix(self._base + "/") if path.startswith(self._base + "/") else ""
        match = routes.find(method, below) if below else None
        # Links in mails, and reports of the back end, have no connection id or have it as a parameter.
        match = match or routes.find(method, path.removeprefix(root), at_root=True)
        return match[0] if match else None


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return float(response.headers.get("Retry-After", "1"))
    except ValueError:
        return None
