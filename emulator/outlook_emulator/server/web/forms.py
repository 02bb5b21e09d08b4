"""Reads what a form of a page sent: fields as text, and files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from math import isfinite
from typing import NamedTuple
from urllib.parse import parse_qsl

from outlook_emulator.errors import InvalidRequest

_MOST_FIELDS = 1000
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,200}")


class File(NamedTuple):
    """A file that was sent with a form."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """The fields of a form, each with all its values, and its files; a file input without a choice has none."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[File]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The last value of a field without the space around it, empty if there is none."""
        return (self.fields.get(name) or [""])[-1].strip()

    def raw(self, name: str) -> str:
        """The last value of a field as it was sent, empty if there is none."""
        return (self.fields.get(name) or [""])[-1]

    def has(self, name: str) -> bool:
        """Whether a box is checked."""
        return name in self.fields

    def filled(self, *names: str) -> dict[str, str]:
        """The named fields that are not empty."""
        return {name: text for name in names if (text := self.text(name))}


EMPTY = Form()


def read_number(text: str) -> int | float | str:
    """The number that a field holds, as JSON can hold it. Other text is left as it is, for the API to refuse."""
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text


def read_form(content: bytes, content_type: str) -> Form:
    """The form in the body of a request. Raises InvalidRequest."""
    header = _header(content_type)
    if header.get_content_type() == "multipart/form-data":
        return _form_of(_parts(content, str(header.get_param("boundary", ""))))
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidRequest(f"The form cannot be read: {error}.") from None
    form = Form()
    for name, value in pairs:
        form.fields.setdefault(name, []).append(_lines(value))
    return form


def _form_of(parts: Iterator[tuple[Message, bytes]]) -> Form:
    form = Form()
    for header, content in parts:
        name = str(header.get_param("name", "", "content-disposition"))
        file_name = header.get_filename()
        if file_name is None:
            form.fields.setdefault(name, []).append(_lines(content.decode("utf-8", "replace")))
        elif file_name:
            # A browser sends UTF-8 in the header, which the parser reads as Latin-1.
            shown = file_name.encode("latin-1", "replace").decode("utf-8", "replace")
            form.files.setdefault(name, []).append(File(shown, header.get_content_type(), content))
    return form


def _parts(content: bytes, boundary: str) -> Iterator[tuple[Message, bytes]]:
    """Header and content of each part of a multipart body (RFC 7578). Raises InvalidRequest."""
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidRequest("The form has no valid boundary.")
    # The line break before a boundary belongs to it.
    sections = (b"\r\n" + content).split(b"\r\n--" + boundary.encode())
    if len(sections) < 2 or not sections[-1].startswith(b"--") or len(sections) > _MOST_FIELDS:
        raise InvalidRequest("The form is incomplete, or has too many fields.")
    for section in sections[1:-1]:
        head, separator, body = section.partition(b"\r\n\r\n")
        if not separator:
            raise InvalidRequest("A part of the form has no header.")
        part = Message()
        for line in head.decode("latin-1").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                part[name] = value.strip()
        yield part, body


def _header(content_type: str) -> Message:
    header = Message()
    header["content-type"] = content_type or "application/x-www-form-urlencoded"
    return header


def _lines(text: str) -> str:
    """A text with plain line ends; browsers send CRLF."""
    return text.replace("\r\n", "\n")
