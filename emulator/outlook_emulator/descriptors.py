"""The system's limit of open files, which connections and databases share."""

from __future__ import annotations

import sys

_ENOUGH = 65_536
"""More descriptors than this are never asked for."""
_OWN = 24
"""How many files the server itself has open at most, but for callbacks."""


def limit() -> int | None:
    """How many files this process may have open, None without a limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def half() -> int | None:
    """How many files connections may have open, and how many databases, None without a limit."""
    most = limit()
    return None if most is None else max(most - _OWN, 2) // 2


def raise_limit() -> None:
    """Raise the limit as far as this process may."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            # macOS allows fewer than the hard limit says. Everything works with fewer as well.
            return
