"""The templates of the pages are compiled while other requests are served."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import jinja2
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.server.web import render
from outlook_emulator.settings import Settings
from tests.loop_lag import Caller

BOX = "/_emulator/s/default"
PAGES = [
    "/_emulator/",
    *(f"{BOX}/{page}" for page in ("", "journal", "faults", "limits", "clock", "triggers", "snapshots", "approvals")),
    *(f"{BOX}/m/me/{page}" for page in ("mail", "contacts", "calendar")),
    *(f"{BOX}/m/me/calendar?view={view}" for view in ("month", "week", "agenda")),
]


def test_no_template_is_compiled_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[bool, str | None]] = []
    compile_template = jinja2.Environment.compile

    def record(environment: Any, source: Any, name: str | None = None, *more: Any, **options: Any) -> Any:
        compiled.append((threading.current_thread() is threading.main_thread(), name))
        return compile_template(environment, source, name, *more, **options)

    async def run() -> list[int]:
        caller = Caller(create_app(Settings(max_calls=0)))
        await caller.json("GET", "/apim/outlook/me/v2/Mail")
        return [(await caller.send("GET", page)).status for page in PAGES]

    # As in a new process.
    render.environment.cache_clear()
    monkeypatch.setattr(render, "_compiled", set())
    monkeypatch.setattr(jinja2.Environment, "compile", record)
    statuses = asyncio.run(run())

    assert {200} == set(statuses)
    assert "calendar.html" in {name for _, name in compiled}
    assert [] == [name for is_on_loop, name in compiled if is_on_loop]
