"""Recognizes the names by which programs call time zones in iCalendar files."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache, lru_cache

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.timezones import CUSTOM, WINDOWS_IDS, canonical, zone

_DISPLAYED = re.compile(r"\(\s*(?:GMT|UTC)\s*(?:([+-]?)(\d{1,2})[:.]?(\d\d)?)?\s*\)\s*(.*)", re.IGNORECASE | re.DOTALL)
_OFFSET = re.compile(r"(?:GMT|UTC|Z)?\s*([+-])\s*(\d{1,2})(?:[:.]?(\d\d))?(?:[:.]?00)?", re.IGNORECASE)
_TWO_OFFSETS = re.compile(r"GMT\s*([+-]\d{4})\s*\(Standard\)\s*/\s*GMT\s*([+-]\d{4})\s*\(Daylight\)", re.IGNORECASE)
_SEPARATORS = re.compile(r"\s*[,/:;|]\s*|\s+-\s+")
_LONGEST = 200

_SPOKEN = {
    "Coordinated Universal Time": "UTC",
    "Universal": "UTC",
    "Greenwich Mean Time": "GMT Standard Time",
    "British Summer Time": "GMT Standard Time",
    "Central European Time": "W. Europe Standard Time",
    "Eastern European Time": "E. Europe Standard Time",
    "Western European Time": "GMT Standard Time",
    "Eastern Time": "Eastern Standard Time",
    "Central Time": "Central Standard Time",
    "Mountain Time": "Mountain Standard Time",
    "Pacific Time": "Pacific Standard Time",
    "Alaska Time": "Alaskan Standard Time",
    "Hawaii Time": "Hawaiian Standard Time",
    "EDT": "Eastern Standard Time",
    "CST": "Central Standard Time",
    "CDT": "Central Standard Time",
    "MDT": "Mountain Standard Time",
    "PST": "Pacific Standard Time",
    "PDT": "Pacific Standard Time",
    "CEST": "W. Europe Standard Time",
    "Rangoon": "Myanmar Standard Time",
    "Calcutta": "India Standard Time",
    "Kiev": "FLE Standard Time",
    "Katmandu": "Nepal Standard Time",
    "Bern": "W. Europe Standard Time",
    "Midway Island": "Samoa Standard Time",
    "Bucharest": "GTB Standard Time",
}
"""Names and cities that neither Windows, Outlook nor the IANA has today, and their zones."""


@lru_cache(maxsize=4096)
def known_zone(name: str) -> str | None:
    """The store's name of a zone that Outlook, Windows or the IANA knows; None without one.

    The name may be the end of a longer one, as in `/example.org/Europe/Paris`, and have blanks for underscores.
    """
    text = name.strip().strip('"').strip()
    if not text or len(text) > _LONGEST:
        return None
    if text.startswith(CUSTOM):
        return _looked_up(text)
    words = text.strip("/ ").split("/")
    for first in range(len(words)):
        end = "/".join(words[first:])
        zone_name = _looked_up(end) or _looked_up(end.replace(" ", "_")) or _looked_up(end.replace("_", " "))
        if zone_name is not None:
            return zone_name
    return None


@lru_cache(maxsize=4096)
def guessed_zone(name: str) -> str | None:
    """The zone that an unknown name describes: by words, cities or an offset.

    Lotus Notes leaves out the words Standard Time, and other programs say Daylight Time.
    """
    text = name.replace("\N{MINUS SIGN}", "-").replace("&amp;", "&").replace(" and ", " & ")
    text = " ".join(text.strip().strip('"').split())
    if len(text) > _LONGEST:
        return None
    plain = re.sub(r"\s+(Standard|Daylight|Summer)\s+Time(\s+\d+)?\Z", "", text, flags=re.IGNORECASE)
    likely = _looked_up(f"{plain} Standard Time") or _places().get(text.casefold())
    if likely is not None:
        return likely
    displayed = _DISPLAYED.fullmatch(text)
    if displayed is not None:
        sign, hours, minutes, places = displayed.groups()
        offset = _minutes(sign or "+", hours or "0", minutes)
        return _by_places(places, offset) or _by_offset(offset)
    pair = _TWO_OFFSETS.fullmatch(text)
    if pair is not None:
        offsets = {_minutes(text[0], text[1:3], text[3:]) for text in pair.groups()}
        return _by_offsets(offsets) or _by_offset(min(offsets))
    offset_match = _OFFSET.fullmatch(text)
    if offset_match is not None:
        return _by_offset(_minutes(*offset_match.groups()))
    return _by_places(text, None)


def _looked_up(name: str) -> str | None:
    try:
        return canonical(name, "TZID")
    except InvalidRequest:
        return None


@cache
def _places() -> dict[str, str]:
    """Windows ids by the names that Outlook shows, without their offset, and by other names, in lower case."""
    shown = {name.partition(") ")[2].casefold(): windows_id for name, windows_id in WINDOWS_IDS.items()}
    return shown | {name.casefold(): windows_id for name, windows_id in _SPOKEN.items()}


@cache
def _by_place() -> dict[str, list[tuple[int, str]]]:
    """The Windows zones of each city in Outlook's names, each with its offset in minutes."""
    cities: dict[str, list[tuple[int, str]]] = {}
    for name, windows_id in WINDOWS_IDS.items():
        match = _DISPLAYED.fullmatch(name)
        assert match is not None
        offset = _minutes(match[1] or "+", match[2] or "0", match[3])
        for place in _SEPARATORS.split(match[4]):
            cities.setdefault(place.casefold(), []).append((offset, windows_id))
    for place, windows_id in _SPOKEN.items():
        cities.setdefault(place.casefold(), []).append((-1, windows_id))
    return cities


def _by_places(text: str, offset: int | None) -> str | None:
    """The zone that has most of the cities; among equals the one with the offset."""
    if text.casefold() in _places():
        return _places()[text.casefold()]
    votes: dict[str, int] = {}
    for place in _SEPARATORS.split(text.casefold()):
        for place_offset, windows_id in _by_place().get(place.strip(), ()):
            votes[windows_id] = votes.get(windows_id, 0) + (3 if place_offset == offset else 2)
    return max(votes, key=lambda windows_id: votes[windows_id]) if votes else None


def _minutes(sign: str, hours: str, minutes: str | None) -> int:
    size = int(hours) * 60 + int(minutes or 0)
    return -size if sign == "-" else size


def _by_offset(minutes: int) -> str | None:
    """A zone that always has an offset."""
    if abs(minutes) > 18 * 60:
        return None
    if minutes == 0:
        return "UTC"
    if minutes % 60 == 0:
        return _looked_up(f"Etc/GMT{-minutes // 60:+d}")
    return _by_offsets({minutes}) or custom_name(minutes)


def custom_name(minutes: int) -> str:
    """The name of a zone of its own that always has an offset."""
    return CUSTOM + posix_offset(minutes * 60)


def posix_offset(seconds: int) -> str:
    """An offset in a POSIX rule: its label, and its size, which counts to the west there."""
    hours, rest = divmod(abs(seconds), 3600)
    label = f"<{'-' if seconds < 0 else '+'}{hours:02}{rest // 60:02}>"
    return f"{label}{'-' if seconds > 0 else ''}{hours}:{rest // 60:02}:{rest % 60:02}"


def _by_offsets(offsets: set[int]) -> str | None:
    """The first zone in Outlook's list with these offsets in January and July; plain names come first."""
    for windows_id in sorted(WINDOWS_IDS.values(), key=lambda name: "(" in name):
        middays = [datetime(year, month, 1, 12, tzinfo=zone(windows_id)) for year in (2007, 2026) for month in (1, 7)]
        if {(midday.utcoffset() or timedelta()) // timedelta(minutes=1) for midday in middays} == offsets:
            return windows_id
    return None
