"""Sample mailboxes, read from `mailbox.toml` files: those that ship with the emulator, and a user's own."""

from __future__ import annotations

import tomllib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import orjson

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.event import Series
from outlook_emulator.mailbox.message import Address, Attachment, Mail

T = TypeVar("T")

_FILE = "mailbox.toml"
_SAMPLE_KEYS = frozenset({"address", "display_name", "folders", "mail", "calendar", "contacts", "mail_files"})
_FOLDER_KEYS = frozenset({"name", "files"})
_PLACE_KEYS = frozenset({"folder", "received", "read", "flagged"})
_TEXT_KEYS = ("from", "to", "cc", "bcc", "subject", "text", "html", "importance", "message_id", "in_reply_to")
_MAIL_KEYS = frozenset({*_TEXT_KEYS, "sent", "references", "attachments"}) | _PLACE_KEYS
_FILE_MAIL_KEYS = _PLACE_KEYS | {"file"}
_TIMES = ("received", "sent")
_ATTACHMENT_KEYS = frozenset({"name", "text", "base64", "type", "content_id"})
_TYPES = {"csv": "text/csv", "txt": "text/plain", "ics": "text/calendar", "pdf": "application/pdf", "png": "image/png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMail:
    """A mail with its folder and state in the sample mailbox. `received` is in microseconds since 1970."""

    mail: Mail
    folder: tuple[str, ...]
    received: int
    is_read: bool = False
    is_flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample mailbox. `folders` are paths from the root; the folders of mails are created as well.

    `calendars` and `contacts` map each calendar's and contact folder's name to its content.
    """

    address: str
    display_name: str
    folders: tuple[tuple[str, ...], ...] = ()
    mails: tuple[SampleMail, ...] = ()
    calendars: Mapping[str, Sequence[Series]] = field(default_factory=dict)
    contacts: Mapping[str, Sequence[Card]] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    """The names of the sample mailboxes that ship with the emulator, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in _fixtures().glob(f"*/{_FILE}")))


def load(name: str) -> Sample:
    """The sample mailbox with that name, or the one that `mailbox.toml` in the directory `name` describes.

    Equal calls give equal samples. Raises InvalidRequest for an unknown name or an invalid file.
    """
    known = names()
    directory = _fixtures() / name if name in known else Path(name)
    try:
        # An empty name would be the current directory.
        description = tomllib.loads((directory / _FILE).read_text(encoding="utf-8")) if name else None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{directory / _FILE} is not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{directory / _FILE} is not in UTF-8.") from error
    except (OSError, ValueError):
        description = None
    if description is None and name and directory.is_dir():
        raise InvalidRequest(f"The folder {directory} has no {_FILE}, which describes a mailbox.")
    if description is None:
        raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Available: {', '.join(known)}.")
    return _sample(_Table(description, str(directory / _FILE), _SAMPLE_KEYS), directory)


def _fixtures() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "fixtures"
    # In a checkout, the fixtures are at the root of the repository.
    return installed if installed.is_dir() else package.parents[1] / "fixtures"


class _Table:
    # A table with its place in a file. Wrong and unknown keys become errors that name the place.

    def __init__(self, values: Any, place: str, known: frozenset[str]) -> None:
        self.place = place
        if not isinstance(values, Mapping):
            raise self.error("must be a table")
        self.values: Mapping[str, Any] = values
        for key in values:
            if key not in known:
                raise self.error(f"unknown key '{key}'; expected {', '.join(sorted(known))}")

    def error(self, text: str) -> InvalidRequest:
        return InvalidRequest(f"{self.place}: {text}.")

    def text(self, key: str, default: str | None = None) -> str:
        return str(self._value(key, str, "a text", default))

    def flag(self, key: str) -> bool:
        return bool(self._value(key, bool, "true or false", False))

    def instant(self, key: str) -> int:
        return microseconds(self._value(key, datetime, "a date with a time", None))

    def values_of(self, key: str) -> list[Any]:
        return list(self._value(key, list, "a list", []))

    def tables(self, key: str, known: frozenset[str]) -> Iterator[_Table]:
        for number, values in enumerate(self.values_of(key), start=1):
            yield _Table(values, f"{self.place}, {key} {number}", known)

    def folder(self, path: Any) -> tuple[str, ...]:
        """A path as text, with slashes between names, or as a list of names that may contain slashes."""
        parts = path.split("/") if isinstance(path, str) else path
        if isinstance(parts, list) and parts and all(isinstance(part, str) and part.strip() for part in parts):
            return tuple(parts)
        raise self.error(f"a folder must be a path such as 'A/B' or a list of names, not {path!r}")

    def _value(self, key: str, kind: type, wanted: str, default: object) -> Any:
        value = self.values.get(key, default)
        if not isinstance(value, kind):
            raise self.error(f"'{key}' must be {wanted}" + ("" if key in self.values else " and is missing"))
        return value


def _sample(table: _Table, directory: Path) -> Sample:
    owner = Address(table.text("address"), table.text("display_name"))
    mails = [_mail(values, directory, owner) for values in _mail_tables(table)]
    for file in table.values_of("mail_files"):
        mails.extend(_mail(values, directory, owner) for values in _json_lines(table, str(file), directory))
    folders = tuple(table.folder(path) for path in table.values_of("folders"))
    return Sample(
        address=owner.address,
        display_name=owner.name,
        folders=folders,
        mails=tuple(mails),
        calendars=_contents(table, "calendar", directory, _events),
        contacts=_contents(table, "contacts", directory, _cards),
    )


def _contents(table: _Table, key: str, directory: Path, parse: Callable[[bytes], list[T]]) -> dict[str, list[T]]:
    """The content of each calendar or contact folder, by its name."""
    folders: dict[str, list[T]] = {}
    for values in table.tables(key, _FOLDER_KEYS):
        contents = folders.setdefault(values.text("name"), [])
        for file in values.values_of("files"):
            contents.extend(parse(_content(values, str(file), directory)))
    return folders


def _events(raw: bytes) -> list[Series]:
    from outlook_emulator.mailbox.formats import ics

    return ics.parse(raw)


def _cards(raw: bytes) -> list[Card]:
    from outlook_emulator.mailbox.formats import vcf

    return vcf.parse(raw)


def _mail_tables(table: _Table) -> Iterator[_Table]:
    for number, values in enumerate(table.values_of("mail"), start=1):
        yield _mail_table(values, f"{table.place}, mail {number}")


def _json_lines(table: _Table, file: str, directory: Path) -> Iterator[_Table]:
    """The mails of a file that has one JSON object a line, with the keys of `[[mail]]`; times are texts."""
    for number, line in enumerate(_content(table, file, directory).splitlines(), start=1):
        place = f"{file}, line {number}"
        try:
            values = orjson.loads(line)
            if isinstance(values, dict):
                # TOML has times of its own, JSON has only texts.
                values |= {key: datetime.fromisoformat(values[key]) for key in _TIMES if key in values}
        except (ValueError, TypeError) as error:
            raise InvalidRequest(f"{place} is not JSON with ISO 8601 times: {error}.") from error
        yield _mail_table(values, place)


def _mail_table(values: Any, place: str) -> _Table:
    is_file = isinstance(values, Mapping) and "file" in values
    return _Table(values, place, _FILE_MAIL_KEYS if is_file else _MAIL_KEYS)


def _mail(table: _Table, directory: Path, owner: Address) -> SampleMail:
    received = table.instant("received")
    return SampleMail(
        mail=_from_file(table, directory) if "file" in table.values else _from_keys(table, owner, received),
        folder=table.folder(table.values.get("folder")),
        received=received,
        is_read=table.flag("read"),
        is_flagged=table.flag("flagged"),
    )


def _from_file(table: _Table, directory: Path) -> Mail:
    from outlook_emulator.mailbox.formats.mime import parse

    return parse(_content(table, table.text("file"), directory))


def _content(table: _Table, file: str, directory: Path) -> bytes:
    for base in (directory.resolve(), _fixtures().resolve()):
        path = (base / file).resolve()
        # A sample must not read files outside of its directory and the fixtures.
        if path.is_relative_to(base) and path.is_file():
            return path.read_bytes()
    raise table.error(f"there is no file '{file}' in its directory or in the emulator's fixtures")


def _from_keys(table: _Table, owner: Address, received: int) -> Mail:
    sender = next(iter(_addresses(table, "from")), owner)
    importance = table.text("importance", "Normal")
    if importance not in Importance.__members__:
        raise table.error(f"'importance' must be one of {', '.join(Importance.__members__)}")
    return Mail(
        sender=sender,
        to=_addresses(table, "to") or (() if sender.address == owner.address else (owner,)),
        cc=_addresses(table, "cc"),
        bcc=_addresses(table, "bcc"),
        subject=table.text("subject", ""),
        # Lines of a mail end in CRLF, whatever the editor of the file wrote.
        body=(table.text("html", "") or table.text("text", "")).replace("\r\n", "\n").replace("\n", "\r\n"),
        is_html="html" in table.values,
        importance=Importance[importance],
        sent=table.instant("sent") if "sent" in table.values else received,
        message_id=table.text("message_id", "") or None,
        in_reply_to=table.text("in_reply_to", "") or None,
        references=tuple(map(str, table.values_of("references"))),
        attachments=tuple(_attachment(values) for values in table.tables("attachments", _ATTACHMENT_KEYS)),
    )


def _addresses(table: _Table, key: str) -> tuple[Address, ...]:
    return _parsed_addresses(table.text(key, ""))


@lru_cache(maxsize=1024)
def _parsed_addresses(text: str) -> tuple[Address, ...]:
    from outlook_emulator.mailbox.formats.mime import read_addresses

    return read_addresses(text)


def _attachment(table: _Table) -> Attachment:
    name = table.text("name")
    try:
        content = b64decode(table.text("base64", ""), validate=True) or table.text("text", "").encode()
    except ValueError as error:
        raise table.error("'base64' is not base64") from error
    content_id = table.text("content_id", "") or None
    guessed = _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return Attachment(name, content, table.text("type", guessed), content_id is not None, content_id)
