"""Shows on a terminal how far long work is: a line on standard error that is redrawn, and erased at the end."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, TextIO

BYTES = "bytes"
"""The unit of a count that is shown in megabytes."""
_DELAY = 0.7
"""Seconds before the first line: quick work shows nothing."""
_REDRAW = 0.2
_WIDTH = 20
"""Characters of a bar."""


class Progress:
    """How far work is, as the work itself reports it. A total of 0 is unknown."""

    def __init__(self, what: str, unit: str = "") -> None:
        self._what, self._unit = what, unit
        self._done = self._total = 0

    def count(self, done: int, total: int = 0) -> None:
        """Report how many items are done, and how many there are."""
        self._done, self._total = done, total

    def report(self, what: str, done: int, total: int) -> None:
        """Report a part of the work, and how far it is."""
        self._what, self._done, self._total = what, done, total

    def line(self, seconds: float) -> str:
        """The work as text, `seconds` after its begin."""
        parts = [self._what]
        # Read once: the work goes on meanwhile.
        done, total = self._done, self._total
        if total:
            share = min(done / total, 1)
            parts += [f"[{'#' * int(share * _WIDTH):-<{_WIDTH}}]", f"{share:4.0%}"]
        if done or total:
            counts = " of ".join(map(self._number, [done, total] if total else [done]))
            parts.append(f"{counts} {'MB' if self._unit == BYTES else self._unit}")
        return "  ".join([*parts, f"{seconds:.0f} s"])

    def _number(self, number: int) -> str:
        return f"{number / 1e6:.1f}" if self._unit == BYTES else str(number)


@contextmanager
def shown(what: str, unit: str = "") -> Iterator[Progress]:
    """Show work while the block runs. Nothing is shown inside another such block, or where no terminal looks on."""
    progress = Progress(what, unit)
    if _Line.is_shown or not _is_terminal(sys.stderr):
        yield progress
        return
    line = _Line(progress, sys.stderr)
    try:
        yield progress
    finally:
        line.end()


class _Line:
    """The line of some work, drawn by a thread: what takes long is often a single call."""

    is_shown: ClassVar[bool] = False

    def __init__(self, progress: Progress, stream: TextIO) -> None:
        self._progress, self._stream = progress, stream
        self._start = time.monotonic()
        self._length = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, daemon=True)
        _Line.is_shown = True
        self._thread.start()

    def end(self) -> None:
        """Erase the line."""
        self._end.set()
        self._thread.join()
        self._draw("")
        _Line.is_shown = False

    def _draw_on(self) -> None:
        pause = _DELAY
        while not self._end.wait(pause):
            self._draw(self._progress.line(time.monotonic() - self._start))
            pause = _REDRAW

    def _draw(self, text: str) -> None:
        # A longer line would wrap, and then only its last part be erased.
        text = text[: shutil.get_terminal_size().columns - 1]
        if text or self._length:
            # Blanks rather than a control sequence, which not every console of Windows knows.
            blanks = " " * (self._length - len(text))
            self._stream.write(f"\r{text}{blanks}" if text else f"\r{blanks}\r")
            self._stream.flush()
        self._length = len(text)


def _is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can redraw a line."""
    return os.environ.get("TERM") != "dumb" and stream.isatty()
