"""Long work runs in a worker thread: it has the sandbox for itself, and other sandboxes do not notice."""

from __future__ import annotations

import asyncio
from threading import Event, Thread
from typing import Any

import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox.aside import alone
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings
from outlook_emulator.store import sandbox_state
from outlook_emulator.store.database import Database
from tests.conftest import START

_PATIENCE = 10


@pytest.fixture
def sandboxes() -> Any:
    registry = Sandboxes(Settings(), VirtualClock(START))
    yield registry
    registry.close()


def test_work_on_one_sandbox_waits_in_order_and_others_go_on(sandboxes: Sandboxes) -> None:
    busy, idle = sandboxes.create("busy"), sandboxes.create("idle")
    may_end, steps = Event(), []

    def work() -> None:
        with busy.db.transaction():
            sandbox_state.put(busy.db, "work", "half")
            assert may_end.wait(_PATIENCE)
            sandbox_state.put(busy.db, "work", "whole")

    async def look(name: str) -> None:
        await busy.turn.free()
        steps.append((name, sandbox_state.get(busy.db, "work")))

    async def run() -> None:
        working = asyncio.create_task(alone(busy, work))
        await asyncio.sleep(0)
        looking = [asyncio.create_task(look(name)) for name in ("first", "second")]
        await alone(idle, steps.append, "idle")
        may_end.set()
        await asyncio.gather(working, *looking)

    asyncio.run(run())
    assert steps == ["idle", ("first", "whole"), ("second", "whole")]


def test_failed_work_writes_nothing_and_frees_the_sandbox(sandboxes: Sandboxes) -> None:
    sandbox = sandboxes.create("busy")

    def work() -> None:
        with sandbox.db.transaction():
            sandbox_state.put(sandbox.db, "work", "half")
            raise ValueError("no more")

    async def run() -> None:
        with pytest.raises(ValueError, match="no more"):
            await alone(sandbox, work)
        await sandbox.turn.free()
        assert sandbox_state.get(sandbox.db, "work") is None

    asyncio.run(run())


def test_a_cancelled_caller_keeps_the_sandbox_until_the_work_ends(sandboxes: Sandboxes) -> None:
    sandbox = sandboxes.create("busy")
    has_begun, may_end = Event(), Event()

    def work() -> None:
        has_begun.set()
        assert may_end.wait(_PATIENCE)
        sandbox_state.put(sandbox.db, "work", "whole")

    async def run() -> None:
        working = asyncio.create_task(alone(sandbox, work))
        while not has_begun.is_set():
            await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert sandbox.turn.is_taken
        may_end.set()
        await sandbox.turn.free()
        assert sandbox_state.get(sandbox.db, "work") == "whole"

    asyncio.run(run())


def test_a_statement_of_another_thread_waits_for_the_end_of_the_loan() -> None:
    db = Database()
    seen: list[str | None] = []

    def read() -> None:
        seen.append(sandbox_state.get(db, "work"))

    with db.lent():
        reader = Thread(target=read)
        with db.transaction():
            sandbox_state.put(db, "work", "half")
            reader.start()
            sandbox_state.put(db, "work", "whole")
    reader.join(_PATIENCE)

    assert seen == ["whole"]
    db.close()


def test_a_reset_in_a_thread_ends_the_waits_on_the_loop(sandboxes: Sandboxes) -> None:
    sandbox = sandboxes.create("busy")
    sandbox.traffic.journal.keep(7)

    asyncio.run(alone(sandbox, sandbox.reset))

    assert sandbox.traffic.journal.cap == Settings().journal_entries
