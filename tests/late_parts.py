"""Prints which slow packages were imported by the thread of the event loop, while requests that need them were served.

`python -m tests.late_parts list` filters a list, `… trigger` registers a push trigger with a filter. `… news FOLDER`
and `… clock FOLDER` serve a data folder in which `… trigger FOLDER` left such a trigger: an event is new, or the clock
moves. A process of its own for `tests/server/test_late_parts.py`, since a package is imported once.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from outlook_emulator.app import create_app
from outlook_emulator.server.webhooks import http_callback
from outlook_emulator.settings import Settings
from tests.loop_lag import ADMIN, Caller

PLACE = "/apim/outlook/me/datasets/calendars/v2/tables/Calendar/items"
EVENT = {"Subject": "s", "Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}
TRIGGER = {
    "operationName": "CalendarGetOnNewItemsV2",
    "notificationDetails": {"callbackUrl": "http://127.0.0.1:9/"},
    "parameters": [{"name": "table", "value": "Calendar"}, {"name": "$filter", "value": "Subject eq 's'"}],
}
SLOW = frozenset({"lark", "icalendar", "httpx", "anyio._backends._asyncio"})


class Recorder(MetaPathFinder):
    """Notes which thread imports a package first."""

    def __init__(self) -> None:
        self.threads: dict[str, bool] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in SLOW:
            self.threads[name] = threading.current_thread() is threading.main_thread()
        return None


async def run(recorder: Recorder, filtered: str, data: str = "") -> None:
    sys.meta_path.insert(0, recorder)
    app = create_app(Settings(data=data))
    caller = Caller(app)
    if filtered in ("news", "clock"):
        await serve_trigger(caller, recorder, filtered)
    else:
        await serve_all(caller, recorder, filtered)
    app.state.sandboxes.close()
    print("on the loop", *sorted(name for name, is_main in recorder.threads.items() if is_main))


async def serve_trigger(caller: Caller, recorder: Recorder, cause: str) -> None:
    if cause == "news":
        await caller.json("POST", PLACE, EVENT)
        while "lark" not in recorder.threads:
            await asyncio.sleep(0)
    else:
        await caller.json("POST", f"{ADMIN}/sandboxes/default/clock", {"advance": "1m"})
    print("all", *sorted(recorder.threads))


async def serve_all(caller: Caller, recorder: Recorder, filtered: str) -> None:
    await caller.json("POST", PLACE, EVENT)
    print("an event", *sorted(recorder.threads))
    if filtered == "trigger":
        await caller.json(
            "PUT", f"{ADMIN}/sandboxes/default/connections/me/triggerConfigs/news", {"properties": TRIGGER}
        )
    else:
        await caller.json("GET", f"{PLACE}?$filter=Subject%20eq%20's'")
    zone = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"
    await caller.json("POST", PLACE, {**EVENT, "TimeZone": zone, "RequiredAttendees": "bob@example.com"})
    await http_callback.post("http://127.0.0.1:0", b"", {}, 10)
    print("all", *sorted(recorder.threads))


if __name__ == "__main__":
    asyncio.run(run(Recorder(), *sys.argv[1:]))
