"""Reads the lines of an iCalendar file (RFC 5545) into components, and writes lines.

A reader of our own: the icalendar package takes 100 microseconds a line, and loses the line numbers that tell a user
what is wrong where.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from outlook_emulator.errors import TooMuchContent
from outlook_emulator.mailbox.formats.charsets import as_utf_8
from outlook_emulator.mailbox.formats.skipped import SkippedItem

MAX_EVENTS = 10_000
MAX_DEPTH = 20
_MAX_REPORTS = 1000
_MAX_HEADS = 10_000
"""How many different beginnings of lines are remembered; calendars repeat a few of them."""
_LONGEST_HEAD = 10_000

_PARAMETER = re.compile(r';\s*([\w.-]+)\s*(?:=\s*((?:"[^"]*"|[^";])*))?')
_QUOTED_HEAD = re.compile(r'[^":]*(?:"[^"]*"[^":]*)*:')
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*\Z")
_TIME_NAMES = {"DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE", "TRIGGER"}
_PERSON_NAMES = {"ORGANIZER", "ATTENDEE"}
_TIME_VALUE = re.compile(r":(?=\s*\d{4}-?\d\d-?\d\d[^:;]*\Z)")
_PERSON_VALUE = re.compile(r":(?=mailto:)", re.IGNORECASE)
_CARETS = {"^n": "\n", "^N": "\n", "^^": "^", "^'": '"'}
_BLANKS = "\ufeff \t"
_PIECE = 74


class Property(NamedTuple):
    """A line of a component: its value, its parameters by name in capitals, and its line number from 1."""

    value: str
    params: Mapping[str, str]
    line: int

    def param(self, name: str) -> str:
        """A parameter without its quotes, empty if the line has none of that name."""
        return self.params.get(name, "")


@dataclass(slots=True, eq=False)
class Component:
    """What stands between BEGIN and END: lines by their name in capitals, and the components inside."""

    name: str
    line: int
    properties: dict[str, list[Property]] = field(default_factory=dict)
    parts: list[Component] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """The lines of a name, in order."""
        return self.properties.get(name, [])

    def first(self, name: str) -> Property | None:
        """The first line of a name."""
        lines = self.properties.get(name)
        return lines[0] if lines else None


class Report:
    """Collects what is left out; after a thousand items only their number."""

    def __init__(self) -> None:
        self._items: list[SkippedItem] = []
        self._more = 0

    def add(self, item: str, line: int | None, reason: str) -> None:
        if len(self._items) < _MAX_REPORTS:
            self._items.append(SkippedItem(item, line, reason))
        else:
            self._more += 1

    def items(self) -> list[SkippedItem]:
        """What was left out, in the order of its lines."""
        items = sorted(self._items, key=lambda skipped: skipped.line or 0)
        if self._more:
            items.append(SkippedItem(f"{self._more} more items", None, "Only the first thousand are listed."))
        return items


def read_calendars(raw: bytes, names: Container[str], report: Report) -> list[Component]:
    """The calendars of a file, with the lines of some names. Events outside of a calendar form one of their own.

    A line that cannot be read is left out, and so is an event without an end; of a calendar without one all is taken.
    Raises TooMuchContent above 10,000 events.
    """
    return _Reader(names, report).read(raw)


class _Reader:
    """Builds the tree of components, line by line."""

    def __init__(self, names: Container[str], report: Report) -> None:
        self._names = names
        self._report = report
        self._root = Component("", 0)
        self._open = [self._root]
        self._too_deep = 0
        self._events = 0
        self._heads: dict[str, tuple[str, dict[str, str]]] = {}

    def read(self, raw: bytes) -> list[Component]:
        for number, text in _logical_lines(raw):
            self._take(text, number)
        while len(self._open) > 1:
            self._abandon(self._open.pop())
        calendars = [part for part in self._root.parts if part.name == "VCALENDAR"]
        loose = [part for part in self._root.parts if part.name in ("VEVENT", "VTIMEZONE")]
        if any(part.name == "VEVENT" for part in loose):
            calendars.append(Component("VCALENDAR", loose[0].line, parts=loose))
        return calendars

    def _take(self, text: str, number: int) -> None:
        head, colon, value = text.partition(":")
        if not colon or len(head) > _LONGEST_HEAD:
            self._leave_out(text, number)
            return
        known = self._heads.get(head)
        if known is None or ('"' in text and '"' in head):
            split = self._split(text, head, value)
            if split is None:
                self._leave_out(text, number)
                return
            known, value = split
        elif value and ":" in value and (";" in head or "=" in value) and known[0] in _TIME_NAMES | _PERSON_NAMES:
            known, value = self._split(text, head, value) or (known, value)
        name, params = known
        if name == "BEGIN":
            self._begin(value.strip().upper(), number)
        elif name == "END":
            # A file whose last line has no end may be joined with the next one.
            ended, _, begun = value.upper().partition("BEGIN:")
            self._end(ended.strip(_BLANKS), number)
            if begun:
                self._begin(begun.strip(), number)
        elif name in self._names and not self._too_deep:
            properties = self._open[-1].properties
            if name in properties:
                properties[name].append(Property(value, params, number))
            else:
                properties[name] = [Property(value, params, number)]

    def _split(self, text: str, head: str, value: str) -> tuple[tuple[str, dict[str, str]], str] | None:
        """Name, parameters and value of a line; None unless it has the form of one."""
        if '"' in head:
            match = _QUOTED_HEAD.match(text)
            if match is not None:
                head, value = match[0][:-1], text[match.end() :]
        name = head.partition(";")[0].strip(_BLANKS).upper()
        if not _NAME.match(name):
            return None
        # Some programs write a zone or a name with a colon, and forget its quotes. Confluence begins the parameters of
        # a person with a colon.
        is_person = name in _PERSON_NAMES
        if ":" in value and ((";" in head and (name in _TIME_NAMES or is_person)) or (is_person and "=" in value)):
            pattern = _TIME_VALUE if name in _TIME_NAMES else _PERSON_VALUE
            match = pattern.search(text, len(head) + 1)
            if match is not None:
                head, value = text[: match.start()], text[match.end() :]
        known = self._heads.get(head)
        if known is None:
            known = (name, _parameters(head) if ";" in head else {})
            if len(self._heads) < _MAX_HEADS:
                self._heads[head] = known
        return known, value

    def _begin(self, name: str, number: int) -> None:
        if len(self._open) > MAX_DEPTH or self._too_deep:
            self._too_deep += 1
            if self._too_deep == 1:
                self._report.add(name or "component", number, f"It is nested more than {MAX_DEPTH} levels deep.")
            return
        if name == "VEVENT":
            self._events += 1
            if self._events > MAX_EVENTS:
                raise TooMuchContent(f"The calendar has more than {MAX_EVENTS} events. Import it in several files.")
            # The end of the event before is missing.
            while self._open[-1].name not in ("", "VCALENDAR"):
                self._abandon(self._open.pop())
        component = Component(name, number)
        self._open[-1].parts.append(component)
        self._open.append(component)

    def _end(self, name: str, number: int) -> None:
        if self._too_deep:
            self._too_deep -= 1
            return
        if not any(component.name == name for component in self._open[1:]):
            self._leave_out(f"END:{name}", number)
            return
        while self._open[-1].name != name:
            self._abandon(self._open.pop())
        self._open.pop()

    def _abandon(self, component: Component) -> None:
        """Leave out a component whose end is missing. Of a calendar, all that is whole is taken."""
        self._report.add(f"{component.name} component", component.line, "Its END line is missing.")
        if component.name != "VCALENDAR":
            self._open[-1].parts.pop()

    def _leave_out(self, text: str, number: int) -> None:
        if text.strip():
            self._report.add(f'line "{text.strip()[:60]}"', number, "It has not the form NAME:VALUE.")


def _logical_lines(raw: bytes) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, those that begin with a blank joined to the one before."""
    raw = as_utf_8(raw)
    first, is_soft = 0, False
    pieces: list[bytes] = []
    # Joined as bytes, since a fold may stand inside a character.
    for number, line in enumerate(raw.splitlines(), start=1):
        if line[:1] in (b" ", b"\t") and pieces:
            pieces.append(line[1:])
        elif is_soft:
            pieces[-1] = pieces[-1][:-1]
            pieces.append(line)
        elif line or not pieces:
            if pieces:
                yield first, _decoded(pieces)
            first, pieces = number, [line]
        # vCalendar 1.0 continues a quoted-printable line after an equals sign.
        is_soft = line[-1:] == b"=" and b"QUOTED-PRINTABLE" in pieces[0].upper()
    if pieces:
        yield first, _decoded(pieces)


def _decoded(pieces: list[bytes]) -> str:
    line = b"".join(pieces) if len(pieces) > 1 else pieces[0]
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _parameters(head: str) -> dict[str, str]:
    """The parameters of the beginning of a line. Of those with the same name, the first counts."""
    params: dict[str, str] = {}
    for match in _PARAMETER.finditer(head, head.index(";")):
        params.setdefault(match[1].upper(), _parameter(match[2] or ""))
    return params


def _parameter(text: str) -> str:
    bare = text.replace('"', "").strip() if '"' in text else text.strip()
    return re.sub(r"\^[nN^']", lambda match: _CARETS[match[0]], bare) if "^" in bare else bare


# --- Texts ---

_UNESCAPED = {"n": "\r\n", "N": "\r\n"}
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def unescaped(value: str) -> str:
    """A text value as it is meant; line ends become CR LF."""
    if "\\" in value:
        return re.sub(r"\\([\\;,nN:\"])", lambda match: _UNESCAPED.get(match[1], match[1]), value)
    return value


def split_texts(value: str) -> list[str]:
    """The texts of a value that commas separate."""
    if "\\" not in value:
        return value.split(",")
    return [unescaped(text) for text in re.findall(r"((?:[^,\\]|\\.|\\)*)(?:,|\Z)", value, re.DOTALL)]


def escaped(text: str) -> str:
    """A text as a value."""
    clean = text.encode("utf-8", "replace").decode()
    return _LINE_ENDS.sub(r"\\n", re.sub(r"([\\;,])", r"\\\1", clean))


def parameter(name: str, value: str) -> str:
    """A parameter as it stands in a line, with its semicolon."""
    text = value.encode("utf-8", "replace").decode()
    if not text.isalnum():
        text = _LINE_ENDS.sub("^n", text.replace("^", "^^").replace('"', "^'"))
        if re.search(r"[;:,\s]", text):
            text = f'"{text}"'
    return f";{name}={text}"


def folded(line: bytes) -> bytes:
    """A line in pieces of at most 74 bytes."""
    if len(line) <= _PIECE:
        return line
    pieces, start = [], 0
    while len(line) - start > _PIECE:
        end = start + _PIECE
        # Not inside a character, nor behind the first character of an escape.
        while line[end] & 0xC0 == 0x80:
            end -= 1
        if line[end - 1] in b"\\^":
            end -= 1
        pieces.append(line[start:end])
        start = end
        # The blank at the beginning of a further piece counts.
    return b"\r\n ".join((*pieces, line[start:]))
