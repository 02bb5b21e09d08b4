"""Regular expressions that are compiled for their first use. To compile them all is a good part of a server's start."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A stand-in for what `re.compile` returns. A mistake in the text shows with the first use."""
    return cast("re.Pattern[AnyStr]", _Uncompiled(text, flags))


class _Uncompiled:
    """Stands for a compiled pattern, and has each of its methods from the first use of that on."""

    def __init__(self, text: Any, flags: int) -> None:
        self._arguments = text, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(*self._arguments), name)
        # Next time, it is found without coming here.
        setattr(self, name, value)
        return value
