"""Names that a caller gives for what there is: held against it, and refused with those that come close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.operations import OPERATIONS


def check_names(given: Mapping[str, Any]) -> None:
    """Hold the `operation` ids and the `family` of a match to those of the connector. Raises InvalidRequest."""
    if given.get("operation") == []:
        raise InvalidRequest("'operation' names none.")
    known = {one.id.lower(): one.id for one in OPERATIONS}
    for one in given.get("operation", ()):
        if one.lower() not in known:
            raise unknown("operation", one, known.values())
    families = {one.family.lower(): one.family for one in OPERATIONS}
    if "family" in given and given["family"].lower() not in families:
        raise unknown("family of operations", given["family"], families.values())


def unknown(what: str, given: str, known: Iterable[str]) -> InvalidRequest:
    """The refusal of a name, `what` of a kind there is; it lists the closest ones, or all where none is close."""
    from difflib import get_close_matches

    names = {one.lower(): one for one in known}
    close = [names[one] for one in get_close_matches(given.lower(), names, n=3, cutoff=0.6)]
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names.values())}."
    return InvalidRequest(f"There is no {what} '{given[:100]}'. {hint}")
