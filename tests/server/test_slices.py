"""Work in slices: others run in between, and a sandbox that is gone ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from outlook_emulator.app import create_app
from outlook_emulator.errors import StartedOver
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.slices import in_slices
from outlook_emulator.slices import LONG, Sliced, in_one_step, whole


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The default sandbox of an app that is not served."""
    sandboxes = create_app().state.sandboxes
    yield sandboxes.default
    sandboxes.close()


def steps(count: int, log: list[str]) -> Sliced[int]:
    """Work in so many steps, each longer than a slice."""
    for number in range(count):
        log.append(f"step {number}")
        _spin()
        yield None
    return count


def _spin() -> None:
    sum(range(300_000))


def test_others_run_between_the_slices() -> None:
    log: list[str] = []

    async def run() -> int:
        async def other() -> None:
            for number in range(2):
                log.append(f"other {number}")
                await asyncio.sleep(0)

        waiting = asyncio.create_task(other())
        result = await in_slices(steps(3, log))
        await waiting
        return result

    assert asyncio.run(run()) == 3
    assert log.index("other 0") < log.index("step 2")


def test_a_long_step_runs_in_another_thread(sandbox: Sandbox) -> None:
    thread = asyncio.run(in_slices(in_one_step(threading.get_ident), sandbox))

    assert thread != threading.get_ident()
    assert not sandbox.turn.is_taken


def test_an_error_of_a_long_step_is_raised(sandbox: Sandbox) -> None:
    def work() -> Sliced[None]:
        yield LONG
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        asyncio.run(in_slices(work(), sandbox))

    assert not sandbox.turn.is_taken


def test_a_reset_ends_the_work(sandbox: Sandbox) -> None:
    log: list[str] = []

    async def run() -> None:
        asyncio.get_running_loop().call_soon(sandbox.reset)
        await in_slices(steps(5, log), sandbox)

    with pytest.raises(StartedOver):
        asyncio.run(run())

    assert len(log) < 5


def test_work_can_run_whole() -> None:
    assert whole(steps(2, [])) == 2
