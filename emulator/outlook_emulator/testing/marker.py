"""The marker `@pytest.mark.outlook(…)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

_CHOICES = {"transport": ("http", "app"), "unused_faults": ("fail", "allow")}
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "seed": ((str, Path, Mapping), "the name of a sample mailbox, the path of its folder, or a mapping"),
    "faults": ((list, tuple), "a list of fault names and rules"),
    "clock": ((str, datetime), "an instant, as text or as a datetime"),
}


@dataclass(frozen=True, kw_only=True)
class Marker:
    """The keywords of a test's markers; the marker nearest to the test wins.

    `seed` is the sample mailbox that the test starts with, as `Sandbox.connect` takes it. `faults` are armed from the
    start, `clock` is the instant at which the sandbox's clock is frozen. Without `transport`, the test uses the
    transport of the run.
    """

    seed: str | Path | Mapping[str, Any] | None = None
    faults: tuple[Any, ...] = ()
    clock: str | datetime | None = None
    transport: str | None = None
    unused_faults: str = "fail"


def read_marks(marks: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Marker:
    """The marker with the arguments and keywords of several marks, nearest first. Raises ValueError."""
    values: dict[str, Any] = {}
    for arguments, keywords in marks:
        if arguments:
            raise ValueError(f"the marker 'outlook' takes keywords only, not {arguments[0]!r}")
        for name, value in keywords.items():
            _check(name, value)
            values.setdefault(name, tuple(value) if name == "faults" else value)
    return Marker(**values)


def _check(name: str, value: Any) -> None:
    known = [field.name for field in fields(Marker)]
    if name not in known:
        raise ValueError(f"the marker 'outlook' has no keyword '{name}'; it has {', '.join(known)}")
    if name in _CHOICES and value not in _CHOICES[name]:
        choices = " or ".join(map(repr, _CHOICES[name]))
        raise ValueError(f"the marker 'outlook' has {name}={value!r}, which must be {choices}")
    types, expected = _TYPES.get(name, ((object,), ""))
    if not isinstance(value, types):
        raise ValueError(f"the marker 'outlook' has {name}={value!r}, which must be {expected}")
