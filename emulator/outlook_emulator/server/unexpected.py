"""Turns an unexpected error into the one that a client sees, which names the row if somebody edited the file."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from outlook_emulator.errors import ConnectorError, SandboxEdited, StartedOver
from outlook_emulator.sandbox.aside import alone
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox

_log = logging.getLogger("outlook_emulator")


async def error_of(sandboxes: Sandboxes, error: Exception, work: str, concerned: Iterable[Sandbox]) -> ConnectorError:
    """The error that a client sees; await it in the `except` block. The log gets `work`, such as a request line.

    `concerned` are the sandboxes that the request was about. Their rows are checked here and not when a file is opened:
    to check all of them at each start would take long, and almost no file was edited.
    """
    concerned = [*concerned]
    if any(sandbox.db.closed for sandbox in concerned):
        # Deleted by another request, while this one waited for its turn or read on.
        return StartedOver()
    if not sandboxes.failures.is_known(error):
        for sandbox in concerned:
            if (problem := await _problem_of(sandbox)) is not None:
                edited = SandboxEdited(sandbox.name, problem)
                sandboxes.failures.report(edited.message)
                # The row may have nothing to do with the error, which is a defect then.
                _log.debug("%s failed.", work, exc_info=error)
                return edited
    return sandboxes.failures.error_of(error, work)


async def _problem_of(sandbox: Sandbox) -> str | None:
    """What no emulator has written to the file of a sandbox; None if there is no such thing, or no file."""
    # The request has just read the row: in a file that is closed, it met nothing. To open thousands takes long.
    if sandbox.db.path is None or sandbox.db.closed or sandbox.db.is_resting:
        return None
    try:
        await alone(sandbox, sandbox.check_rows)
    except ValueError as problem:
        return str(problem)
    except Exception:
        # Such as that of a sandbox that was deleted meanwhile. The error at hand says more.
        return None
    return None
