"""Measures how long a request to an app keeps the other requests on its event loop waiting."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from outlook_emulator.early_app import EarlyApp

_PART = 64 * 1024
"""How many bytes of a body the server hands to the app at once."""
_BEAT = 0.001
"""How long the heartbeat sleeps, in seconds."""
ADMIN = "/_emulator/api"


class Answer(NamedTuple):
    """A response: its status and its body."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Caller:
    """Sends requests to `app` on the loop that runs it, without a socket."""

    def __init__(self, app: Starlette | EarlyApp) -> None:
        self.app = app

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request; its body arrives in parts, as it does from a socket."""
        # Made one by one and joined in a thread, so that the measure leaves out the client's own work.
        starts = list(range(0, len(body), _PART)) or [0]
        status, received = 0, []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            start = starts.pop(0) if starts else len(body)
            return {"type": "http.request", "body": body[start : start + _PART], "more_body": bool(starts)}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            received.append(message.get("body", b""))

        path, _, query = path.partition("?")
        sent = {"authorization": "Bearer anything", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "state": {},
        }
        await self.app(scope, receive, send)
        return Answer(status, await asyncio.to_thread(b"".join, received))

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """One request with JSON, whose response must be a success; returns the JSON of the response."""
        content = b"" if body is None else orjson.dumps(body)
        answer = await self.send(method, path, content, {"content-type": "application/json"})
        assert 200 <= answer.status < 300, answer.body[:1000]
        return answer.json if answer.body else None


class Heartbeat:
    """A task that wakes up every millisecond, and knows how late it woke up at worst.

    A delay counts by the clock or by the processor time of the process, whichever is less: on a busy machine the
    process stands still without any fault of its own, and work in other threads does not hold the loop.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Heartbeat:
        # What the test run itself has made would make each collection slow.
        gc.collect()
        gc.freeze()
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        # Once more: the loop may have been held until now.
        await asyncio.sleep(2 * _BEAT)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        gc.unfreeze()

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            started, worked = clock(), time.process_time()
            await asyncio.sleep(_BEAT)
            late = min(clock() - started, time.process_time() - worked) - _BEAT
            self.longest = max(self.longest, late)
