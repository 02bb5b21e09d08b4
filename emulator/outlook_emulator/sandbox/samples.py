"""Sample mailboxes: read from `mailbox.toml` files, those that ship with the emulator and a user's own."""

from __future__ import annotations

import tomllib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.event import Series
from outlook_emulator.mailbox.message import Address, Attachment, Mail

T = TypeVar("T")

_FILE = "mailbox.toml"
_SEED_KEYS = frozenset({"address", "display_name", "folders", "mail", "calendar", "contacts", "generate"})
_SHELF_KEYS = frozenset({"name", "files"})
_PLACE_KEYS = frozenset({"folder", "received", "read", "flagged"})
_TEXT_KEYS = ("from", "to", "cc", "bcc", "subject", "text", "html", "importance", "message_id", "in_reply_to")
_MAIL_KEYS = frozenset({*_TEXT_KEYS, "references", "attachments"}) | _PLACE_KEYS
_ATTACHMENT_KEYS = frozenset({"name", "text", "base64", "type", "content_id"})
_GENERATE_KEYS = frozenset({"count", "seed", "folders"})
_TYPES = {"csv": "text/csv", "txt": "text/plain", "ics": "text/calendar", "pdf": "application/pdf", "png": "image/png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMail:
    """A mail and where it lies in the sample mailbox. `received` is in microseconds since 1970."""

    mail: Mail
    folder: tuple[str, ...]
    received: int
    is_read: bool = False
    is_flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample mailbox. `folders` are paths from the top; mails bring along the further folders they lie in.

    `calendars` and `contacts` hold what lies in each calendar and contact folder, by its name.
    """

    address: str
    display_name: str
    folders: tuple[tuple[str, ...], ...] = ()
    mails: tuple[SampleMail, ...] = ()
    calendars: Mapping[str, Sequence[Series]] = field(default_factory=dict)
    contacts: Mapping[str, Sequence[Card]] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    """The sample mailboxes that ship with the emulator, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in _fixtures().glob(f"*/{_FILE}")))


def load(name: str) -> Sample:
    """The sample mailbox of that name, or the one described by `mailbox.toml` in the directory `name`.

    Equal calls give equal seeds. Raises InvalidRequest when there is none, or when the file does not say what it must.
    """
    known = names()
    directory = _fixtures() / name if name in known else Path(name)
    try:
        described = tomllib.loads((directory / _FILE).read_text(encoding="utf-8")) if name else None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{directory / _FILE} is not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{directory / _FILE} is not in UTF-8.") from error
    except (OSError, ValueError):
        described = None
    if described is None:
        raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Known are: {', '.join(known)}.")
    return _seed(_Table(described, str(directory / _FILE), _SEED_KEYS), directory)


def _fixtures() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "fixtures"
    # In a checkout they lie beside the folder of the package.
    return installed if installed.is_dir() else package.parents[1] / "fixtures"


class _Table:
    # One TOML table with its place in the file; every wrong or unknown member becomes the same kind of refusal.

    def __init__(self, values: Any, place: str, known: frozenset[str]) -> None:
        self.place = place
        if not isinstance(values, Mapping):
            raise self.refusal("a table was expected")
        self.values: Mapping[str, Any] = values
        for key in values:
            if key not in known:
                raise self.refusal(f"there is no '{key}', only {', '.join(sorted(known))}")

    def refusal(self, text: str) -> InvalidRequest:
        return InvalidRequest(f"{self.place}: {text}.")

    def text(self, key: str, default: str | None = None) -> str:
        return str(self._member(key, str, "a text", default))

    def flag(self, key: str) -> bool:
        return bool(self._member(key, bool, "true or false", False))

    def number(self, key: str) -> int:
        return int(self._member(key, int, "a whole number", None))

    def instant(self, key: str) -> int:
        return microseconds(self._member(key, datetime, "a date with a time", None))

    def items(self, key: str) -> list[Any]:
        return list(self._member(key, list, "a list", []))

    def tables(self, key: str, known: frozenset[str]) -> Iterator[_Table]:
        for number, values in enumerate(self.items(key), start=1):
            yield _Table(values, f"{self.place}, {key} {number}", known)

    def folder(self, path: Any) -> tuple[str, ...]:
        """A path as text, with slashes between names, or as a list of names that may hold slashes."""
        parts = path.split("/") if isinstance(path, str) else path
        if isinstance(parts, list) and parts and all(isinstance(part, str) and part.strip() for part in parts):
            return tuple(parts)
        raise self.refusal(f"a folder is a path such as 'A/B' or a list of names, not {path!r}")

    def _member(self, key: str, kind: type, wanted: str, default: object) -> Any:
        value = self.values.get(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.refusal(f"'{key}' must be {wanted}" + ("" if key in self.values else " and is missing"))
        return value


def _seed(table: _Table, directory: Path) -> Sample:
    owner = Address(table.text("address"), table.text("display_name"))
    mails = [_mail(values, directory, owner) for values in _mail_tables(table)]
    if "generate" in table.values:
        mails.extend(_generated(table, owner))
    folders = tuple(table.folder(path) for path in table.items("folders"))
    return Sample(
        address=owner.address,
        display_name=owner.name,
        folders=folders,
        mails=tuple(mails),
        calendars=_shelves(table, "calendar", directory, _events),
        contacts=_shelves(table, "contacts", directory, _cards),
    )


def _shelves(table: _Table, key: str, directory: Path, parse: Callable[[bytes], list[T]]) -> dict[str, list[T]]:
    """What the files of each calendar or contact folder hold."""
    found: dict[str, list[T]] = {}
    for values in table.tables(key, _SHELF_KEYS):
        contents = found.setdefault(values.text("name"), [])
        for file in values.items("files"):
            contents.extend(parse(_content(values, str(file), directory)))
    return found


def _events(raw: bytes) -> list[Series]:
    from outlook_emulator.mailbox.formats import ics

    return ics.parse(raw)


def _cards(raw: bytes) -> list[Card]:
    from outlook_emulator.mailbox.formats import vcf

    return vcf.parse(raw)


def _mail_tables(table: _Table) -> Iterator[_Table]:
    for number, values in enumerate(table.items("mail"), start=1):
        is_file = isinstance(values, Mapping) and "file" in values
        yield _Table(values, f"{table.place}, mail {number}", _PLACE_KEYS | {"file"} if is_file else _MAIL_KEYS)


def _mail(table: _Table, directory: Path, owner: Address) -> SampleMail:
    received = table.instant("received")
    return SampleMail(
        mail=_from_file(table, directory) if "file" in table.values else _written_here(table, owner, received),
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
        if path.is_relative_to(base) and path.is_file():
            return path.read_bytes()
    raise table.refusal(f"there is no file '{file}' beside it or among the samples")


def _written_here(table: _Table, owner: Address, received: int) -> Mail:
    sender = next(iter(_addresses(table, "from")), owner)
    importance = table.text("importance", "Normal")
    if importance not in Importance.__members__:
        raise table.refusal(f"'importance' must be one of {', '.join(Importance.__members__)}")
    return Mail(
        sender=sender,
        to=_addresses(table, "to") or (() if sender.address == owner.address else (owner,)),
        cc=_addresses(table, "cc"),
        bcc=_addresses(table, "bcc"),
        subject=table.text("subject", ""),
        body=(table.text("html", "") or table.text("text", "")).replace("\r\n", "\n").replace("\n", "\r\n"),
        is_html="html" in table.values,
        importance=Importance[importance],
        sent=received,
        message_id=table.text("message_id", "") or None,
        in_reply_to=table.text("in_reply_to", "") or None,
        references=tuple(map(str, table.items("references"))),
        attachments=tuple(_attachment(values) for values in table.tables("attachments", _ATTACHMENT_KEYS)),
    )


def _addresses(table: _Table, key: str) -> tuple[Address, ...]:
    from outlook_emulator.mailbox.formats.mime import read_addresses

    return read_addresses(table.text(key, ""))


def _attachment(table: _Table) -> Attachment:
    name = table.text("name")
    try:
        content = b64decode(table.text("base64", ""), validate=True) or table.text("text", "").encode()
    except ValueError as error:
        raise table.refusal("'base64' is not base64") from error
    content_id = table.text("content_id", "") or None
    guessed = _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return Attachment(name, content, table.text("type", guessed), content_id is not None, content_id)


def _generated(table: _Table, owner: Address) -> Iterator[SampleMail]:
    from outlook_emulator.sandbox.generated_samples import generate

    wanted = _Table(table.values["generate"], f"{table.place}, generate", _GENERATE_KEYS)
    shares = wanted.values.get("folders")
    if not isinstance(shares, Mapping) or not all(type(share) is int and share > 0 for share in shares.values()):
        raise wanted.refusal("'folders' must give each folder's share as a whole number above zero")
    weights = {wanted.folder(path): share for path, share in shares.items()}
    return generate(owner, wanted.number("count"), wanted.number("seed"), weights)
