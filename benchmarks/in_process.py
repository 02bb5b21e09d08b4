"""Calls straight into an app, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.client import Call


def straight(app: Any, call: Call, times: int) -> Callable[[], None]:
    """What makes a call so many times, one after the other. Raises RuntimeError unless each answer is a 2xx."""
    path, _, query = call.path.partition("?")
    scope = {
        "type": "http",
        "scheme": "http",
        "method": call.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": call.headers(),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": call.body}

    async def send(message: Any) -> None:
        if not 200 <= message.get("status", 200) < 300:
            raise RuntimeError(f"{call.method} {call.path}: {message}")

    async def repeat() -> None:
        for _ in range(times):
            await app(dict(scope), receive, send)

    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(repeat())
