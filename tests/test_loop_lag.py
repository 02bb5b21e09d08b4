"""Heavy requests must not keep others waiting: the loop's own lag is measured while each of them runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from tests.conftest import START
from tests.heavy_files import HEAVY_FILES
from tests.heavy_requests import APIM, HEAVY, Heavy
from tests.loop_lag import Answer, Caller, Heartbeat

LONGEST = 0.050
"""How long a request may keep others waiting, in seconds."""
_ATTEMPTS = 10
"""How often a request is tried. One that holds the loop by itself does so each time."""


@pytest.mark.parametrize("heavy", [*HEAVY, *HEAVY_FILES], ids=lambda heavy: heavy.name)
def test_a_heavy_request_holds_nobody(heavy: Heavy) -> None:
    async def run() -> float:
        async with served() as caller:
            await heavy.prepare(caller)
            async with Heartbeat() as heartbeat:
                answer = await heavy.request(caller)
            heavy.check(answer)
            return heartbeat.longest

    # A busy machine may let the thread of the loop wait while a worker thread works on.
    assert any(asyncio.run(run()) < LONGEST for _ in range(_ATTEMPTS))


@pytest.mark.parametrize("seconds", [0.06, 0.3])
def test_the_measure_notices_a_request_that_holds_the_loop(seconds: float) -> None:
    assert asyncio.run(lag_of(lambda: spin(seconds))) > 0.9 * seconds


def test_the_measure_notices_a_thread_that_holds_the_interpreter() -> None:
    async def run() -> float:
        async with Heartbeat() as heartbeat:
            # A single call into C, during which no other thread can run Python.
            await asyncio.to_thread(pow, 3, 2_000_000)
        return heartbeat.longest

    assert asyncio.run(run()) > LONGEST


def test_the_measure_leaves_out_work_in_another_thread() -> None:
    async def run() -> float:
        async with Heartbeat() as heartbeat:
            await asyncio.to_thread(spin, 0.3)
        return heartbeat.longest

    assert asyncio.run(run()) < LONGEST


def spin(seconds: float) -> None:
    """Use up processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def lag_of(work: Callable[[], None]) -> float:
    """The lag of a loop while an app does some work in one piece."""

    def respond(request: Request) -> Response:
        work()
        return Response()

    async def handle(request: Request) -> Response:
        return respond(request)

    caller = Caller(Starlette(routes=[Route("/", handle)]))
    async with Heartbeat() as heartbeat:
        answer: Answer = await caller.send("GET", "/")
    assert answer.status == 200
    return heartbeat.longest


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Caller]:
    """An app on this loop, with the connection `me`."""
    app = create_app(Settings(max_calls=0, **settings), VirtualClock(START))
    async with app.router.lifespan_context(app):
        caller = Caller(app)
        await caller.json("GET", f"{APIM}/v2/Mail")
        yield caller
