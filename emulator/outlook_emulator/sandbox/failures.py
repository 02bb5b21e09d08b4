"""Turns failed access to the data into the error that a client sees, and reports it in the log."""

from __future__ import annotations

import logging
import time

from outlook_emulator.errors import ConnectorError, InternalError
from outlook_emulator.store.failures import storage_error

_QUIET_SECONDS = 60.0
_MOST_TEXTS = 1000
_log = logging.getLogger("outlook_emulator")


class Failures:
    """The unexpected errors of a server that keeps its data in `folder`, which is empty for memory."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._logged: dict[str, float] = {}

    def error_of(self, error: Exception, work: str) -> ConnectorError:
        """The error that a client sees; call it in the `except` block. The log gets `work`, such as a request line."""
        known = storage_error(error, self._folder)
        if known is None:
            _log.exception("%s failed.", work)
            return InternalError()
        self.report(known.message)
        return known

    def report(self, text: str) -> None:
        """Log a text, at most once a minute: on a full disk, every request fails in the same way."""
        now = time.monotonic()
        if now - self._logged.get(text, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        if len(self._logged) >= _MOST_TEXTS:
            self._logged.clear()
        self._logged[text] = now
        _log.error("%s", text)
