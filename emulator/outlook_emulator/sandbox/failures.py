"""Turns failed access to the data into the error that a client sees, and reports it in the log."""

from __future__ import annotations

import logging

from outlook_emulator.errors import ConnectorError, InternalError
from outlook_emulator.quiet_log import QuietLog
from outlook_emulator.store.failures import storage_error

_log = logging.getLogger("outlook_emulator")


class Failures:
    """The unexpected errors of a server that keeps its data in `folder`, which is empty for memory."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._quiet_log = QuietLog()

    def is_known(self, error: Exception) -> bool:
        """Whether the access to the data failed, as it does on a full disk."""
        return storage_error(error, self._folder) is not None

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
        if self._quiet_log.is_new(text):
            _log.error("%s", text)
