"""Refusals of names that nobody has, with those that come close."""

from __future__ import annotations

from collections.abc import Iterable

from emulator.errors import InvalidRequest


def unknown(what: str, given: str, known: Iterable[str]) -> InvalidRequest:
    """The refusal of a name, `what` of a kind there is; it lists the closest ones, or all where none is close."""
    from difflib import get_close_matches

    names = {one.lower(): one for one in known}
    close = [names[one] for one in get_close_matches(given.lower(), names, n=3, cutoff=0.6)]
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names.values())}."
    return InvalidRequest(f"There is no {what} '{given[:100]}'. {hint}")
