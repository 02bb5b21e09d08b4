"""Search indexes are brought up to date while a sandbox is idle, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from outlook_emulator.app import create_app
from outlook_emulator.mailbox.mail import delivery, search_index
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server import search_upkeep
from outlook_emulator.server.search_upkeep import SearchUpkeep


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox with as many mails as are worth the work, none of them indexed."""
    monkeypatch.setattr(search_upkeep, "FEW", 100)
    sandboxes = create_app().state.sandboxes
    sandboxes.default.connect("alice", "alice@example.com")
    deliver(sandboxes.default, 100)
    yield sandboxes.default
    sandboxes.close()


def deliver(sandbox: Sandbox, count: int) -> None:
    mailbox = sandbox.mailbox(sandbox.connections()["alice"])
    with sandbox.db.transaction():
        for number in range(count):
            delivery.deliver(mailbox, Mail(sender=Address("bob@example.com"), subject=f"Number {number}"))


def keep_up(sandbox: Sandbox, idle: float = 0) -> None:
    """Let the upkeep look at a sandbox until it has nothing more to do."""

    async def run() -> None:
        upkeep = SearchUpkeep(idle)
        upkeep.touch(sandbox)
        await asyncio.wait_for(upkeep.finished(), 10)

    asyncio.run(run())


def test_an_idle_sandbox_is_indexed(sandbox: Sandbox) -> None:
    keep_up(sandbox)

    assert search_index.lag(sandbox.db) == 0


def test_a_write_ends_the_work_until_the_sandbox_is_idle_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written during a pause ends the work, which later takes in everything."""
    lags: list[int] = []
    pauses: list[float] = []
    pause = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        lags.append(search_index.lag(sandbox.db))
        # After the first step, and thus before the second one.
        if len(pauses) == 3:
            deliver(sandbox, 100)
        await pause(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    keep_up(sandbox, idle=7)

    # Two looks, one step, and two looks again: at a changed sandbox, and at an idle one.
    assert [7, 7, 0.001, 7, 7] == pauses[:5]
    assert [100, 100, 75, 175, 175] == lags[:5]
    assert search_index.lag(sandbox.db) == 0


def test_a_few_mails_are_left_to_the_next_search(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_upkeep, "FEW", 101)

    keep_up(sandbox)

    assert search_index.lag(sandbox.db) == 100


def test_a_deleted_sandbox_is_forgotten(sandbox: Sandbox) -> None:
    sandbox.close()

    keep_up(sandbox)
