"""The time zones that a calendar can be shown in."""

from __future__ import annotations

from functools import cache

from outlook_emulator.timezones import WINDOWS_IDS, iana


@cache
def _named_zones() -> tuple[tuple[str, str], ...]:
    zones = {iana(id): name for name, id in WINDOWS_IDS.items()}
    zones["UTC"] = zones.pop("Etc/UTC")
    return tuple(zones.items())


def zones_with(zone: str) -> list[tuple[str, str]]:
    """The zones that Outlook names, and the one that is shown."""
    zones = list(_named_zones())
    return zones if zone in dict(zones) else [(zone, zone), *zones]


def outlook_name(zone: str) -> str:
    """The name by which Outlook shows a zone, empty if it has none."""
    return dict(_named_zones()).get(zone, "")
