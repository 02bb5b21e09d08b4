"""Requests to an app in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.client import Request


def repeated(app: Any, request: Request, times: int) -> Callable[[], None]:
    """A function that sends a request `times` times in sequence. It raises RuntimeError for a status other than 2xx."""
    scope = _scope(request)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body}

    async def send(message: Any) -> None:
        if not 200 <= message.get("status", 200) < 300:
            raise RuntimeError(f"{request.method} {request.path}: {message}")

    async def repeat() -> None:
        for _ in range(times):
            await app(dict(scope), receive, send)

    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(repeat())


def response_headers(app: Any, request: Request) -> dict[bytes, bytes]:
    """The headers of the response to a request without a body."""
    headers: dict[bytes, bytes] = {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        headers.update(message.get("headers", ()))

    asyncio.run(app(_scope(request), receive, send))
    return headers


def _scope(request: Request) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "scheme": "http",
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": request.headers(),
    }
