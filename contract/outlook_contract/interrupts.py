"""Lets work that must not stop half-way survive a first Ctrl+C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


@contextmanager
def finishing(work: str) -> Iterator[None]:
    """Put off SIGINT and SIGTERM once: the first prints that `work` goes on, the second raises KeyboardInterrupt."""
    if current_thread() is not main_thread():
        # Python runs handlers in the main thread only, so nothing interrupts this one.
        yield
        return
    signals = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            raise KeyboardInterrupt
        print(f"\noutlook-emulator: {work}; press Ctrl+C again to stop", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM, with which CI systems and containers stop a process, like Ctrl+C."""
    if current_thread() is not main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
