"""Runs long work in a worker thread, so that the event loop serves other requests meanwhile.

Pure work only needs `aside`. Work on a database needs the sandbox for itself: `alone` waits for its turn, and requests
for the same sandbox wait in order until the work ends, while those for other sandboxes go on.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from outlook_emulator.sandbox.sandbox import Sandbox

T = TypeVar("T")

LARGE = 64 * 1024
"""From this many bytes on, work on a request or a file runs aside. The loop does what is smaller in a few ms."""
MANY = 100
"""A list of more items than this is read aside."""
_THREADS = 4
_NAME = "outlook-emulator-aside"
_REST = 0.05
"""How long workers have to end when they have nothing more to do, in seconds."""
_SWITCH_SECONDS = 0.001


async def aside(work: Callable[..., T], *arguments: Any) -> T:
    """The result of pure work, which runs in a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(_workers(), work, *arguments)


async def alone(sandbox: Sandbox, work: Callable[..., T], *arguments: Any) -> T:
    """The result of work on a sandbox's database, which no other request uses meanwhile.

    Raises what the work raises. The work goes on if the caller is cancelled, and keeps the sandbox until it ends.
    """
    await sandbox.turn.free()
    # Here and not in the thread: to make room, it may close the file of another sandbox.
    sandbox.db.wake()
    sandbox.turn.take()
    running = asyncio.get_running_loop().run_in_executor(_workers(), _with_database, sandbox, work, arguments)
    try:
        # Shielded, because the thread goes on after its future is cancelled.
        return await asyncio.shield(running)
    finally:
        if running.done():
            # Here and not in a callback of the future: the caller still reads what the work wrote before the next turn.
            sandbox.turn.give_back()
        else:
            running.add_done_callback(lambda _: sandbox.turn.give_back())


def _with_database(sandbox: Sandbox, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    with sandbox.db.lent():
        return work(*arguments)


class LookUps(ThreadPoolExecutor):
    """The threads in which an event loop looks up the names of hosts; its end waits for those that do nothing."""

    def __init__(self) -> None:
        self._name = f"{_NAME}-{id(self)}"
        super().__init__(thread_name_prefix=self._name)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        # A name server that does not answer holds its thread for half a minute.
        super().shutdown(wait=False, cancel_futures=True)
        _have_ended(self._name)


def all_work_ended() -> bool:
    """Take no more work, drop what has not begun, and return whether all work has ended. Only for a process that ends.

    Python waits at its end for all worker threads, and work on a large sandbox may take many seconds.
    """
    if _workers.cache_info().currsize:
        _workers().shutdown(wait=False, cancel_futures=True)
    return _have_ended(_NAME)


def _have_ended(name: str) -> bool:
    """Whether all threads whose names begin so have ended, after a short time."""
    end = time.monotonic() + _REST
    for thread in threading.enumerate():
        if thread.name.startswith(name):
            thread.join(max(end - time.monotonic(), 0))
    return not any(thread.name.startswith(name) for thread in threading.enumerate())


@cache
def _workers() -> ThreadPoolExecutor:
    # Python lets a thread compute for 5 ms before another one gets its turn. The loop waits so long several times a
    # request, and once for each worker.
    sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
    return ThreadPoolExecutor(_THREADS, _NAME)
