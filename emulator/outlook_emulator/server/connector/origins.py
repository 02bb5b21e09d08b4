"""The origins of pages that may call the connector from a browser."""

from __future__ import annotations

from outlook_emulator.patterns import pattern
from outlook_emulator.settings import listed

_ORIGIN = pattern(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def origins_of(setting: str) -> list[str]:
    """The origins in the text of the setting. Raises ValueError for a part that is not an origin."""
    origins = listed(setting)
    for origin in origins:
        # Nor is `*`: browsers refuse it for requests with credentials.
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"'{origin[:100]}' is not an origin such as http://localhost:5173")
    return origins
