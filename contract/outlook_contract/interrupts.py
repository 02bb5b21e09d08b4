"""Lets work that must not stop half-way survive a first Ctrl+C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType

_STOPPING = ("SIGTERM", "SIGHUP")
"""What stops a program besides Ctrl+C: CI systems and containers send the first, a closed terminal the second."""
_HANGUP: int = getattr(signal, "SIGHUP", 0)
Handler = Callable[[int, FrameType | None], None]


@contextmanager
def finishing(work: str) -> Iterator[None]:
    """Put off the signals that stop a program once: the first prints that `work` goes on.

    The second raises KeyboardInterrupt.
    """
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
        # A terminal that was closed shows nothing any more.
        with suppress(OSError):
            print(f"\noutlook-emulator: {work}; press Ctrl+C again to stop", file=sys.stderr, flush=True)

    with stopped_by(handle):
        yield


@contextmanager
def terminable() -> Iterator[None]:
    """Treat what else stops a program like Ctrl+C."""
    if current_thread() is not main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if number == _HANGUP:
            # A terminal and its shell both send it, and the second must not stop what the first began.
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with stopped_by(handle, _STOPPING):
        yield


@contextmanager
def stopped_by(handle: Handler, names: Sequence[str] = ("SIGINT", *_STOPPING)) -> Iterator[None]:
    """Let `handle` take the signals that stop a program, as far as this system has them."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    if _HANGUP in numbers and signal.getsignal(_HANGUP) == signal.SIG_IGN:
        # Under nohup, a closed terminal stops nothing.
        numbers.remove(_HANGUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
