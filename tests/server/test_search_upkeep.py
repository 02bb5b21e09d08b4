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


class Looks:
    """An upkeep of one sandbox, which looks when it is told to, at a time that is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._time = 0.0
        self._upkeep = SearchUpkeep(lambda: self._time)
        self._upkeep.touch(sandbox)

    def look_after(self, seconds: float) -> None:
        self._time += seconds
        self._upkeep.look()

    def lag_after(self, seconds: float) -> int:
        """How many changes are left to index after so many seconds and one more look."""
        self.look_after(seconds)
        return search_index.lag(self._sandbox.db)


def test_an_idle_sandbox_is_indexed_in_steps(sandbox: Sandbox) -> None:
    """Nothing happens until a sandbox was idle for a second, and then 25 mails are indexed at a time."""

    async def run() -> None:
        looks = Looks(sandbox)

        assert [100, 100] == [looks.lag_after(0), looks.lag_after(0.9)]
        assert [75, 50, 25, 0] == [looks.lag_after(0.1) for _ in range(4)]

    asyncio.run(run())


def test_a_write_ends_the_work_until_the_sandbox_is_idle_again(sandbox: Sandbox) -> None:
    async def run() -> None:
        looks = Looks(sandbox)
        assert [100, 75] == [looks.lag_after(0), looks.lag_after(1)]

        deliver(sandbox, 100)

        assert [175, 175] == [looks.lag_after(0), looks.lag_after(0.9)]
        assert looks.lag_after(0.1) == 150

    asyncio.run(run())


def test_a_few_mails_are_left_to_the_next_search(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_upkeep, "FEW", 101)

    async def run() -> None:
        looks = Looks(sandbox)

        assert [100, 100, 100] == [looks.lag_after(1) for _ in range(3)]

    asyncio.run(run())


def test_the_timer_does_all_of_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox is indexed without anybody's help, and the work ends by itself."""
    monkeypatch.setattr(search_upkeep, "_IDLE", 0)

    async def run() -> None:
        upkeep = SearchUpkeep()
        upkeep.touch(sandbox)
        async with asyncio.timeout(10):
            while upkeep._timer is not None:
                await asyncio.sleep(0)

    asyncio.run(run())

    assert search_index.lag(sandbox.db) == 0


def test_a_database_that_a_thread_closes(sandbox: Sandbox) -> None:
    """A sandbox that is being deleted in a worker thread does not end the work for the others."""

    async def run() -> None:
        looks = Looks(sandbox)
        sandbox.turn.take()
        sandbox.db._connection.close()

        looks.look_after(0)
        sandbox.turn.give_back()

    asyncio.run(run())
