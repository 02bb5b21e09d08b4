"""Writes the request log of `serve` to standard error."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from outlook_emulator.traffic.request_log import REQUESTS, Line


def start() -> None:
    """Write a line for each request from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    REQUESTS.addHandler(handler)
    REQUESTS.setLevel(logging.INFO)
    # Its lines have a form of their own, and the level of the other messages is another matter.
    REQUESTS.propagate = False


def has_colours(stream: TextIO) -> bool:
    """Whether a stream shows colours: a terminal does, unless `NO_COLOR` is set (no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


class _Formatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        if isinstance(record.args, tuple) and record.args and isinstance(line := record.args[0], Line):
            record.message = line.text(coloured=has_colours(sys.stderr))
        return super().formatMessage(record)
