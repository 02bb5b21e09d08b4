"""Sample mailboxes, read from `mailbox.toml` files: those that ship with the emulator, and a user's own."""

from __future__ import annotations

import tomllib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import orjson

from outlook_emulator.clock import instant_of
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.event import Series
from outlook_emulator.mailbox.formats.skipped import Parsed, SkippedItem
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.sandbox.sample_files import Folder, NoFiles, SampleFiles, Zip
from outlook_emulator.seed_folder import DESCRIPTION as _FILE

T = TypeVar("T")

_MAIL_FOLDER = "mail"
_FOLDERS = {"calendar": "calendars", "contacts": "contacts"}
"""The folder with the files of calendars and contact folders, by the key that names them in `mailbox.toml`."""
_SAMPLE_KEYS = frozenset({"address", "display_name", "folders", "mail", "calendar", "contacts", "mail_files"})
_CALENDAR_KEYS = frozenset({"name", "files", "ics"})
_CONTACTS_KEYS = frozenset({"name", "files", "vcf"})
_PLACE_KEYS = frozenset({"folder", "received", "read", "flagged"})
_TEXT_KEYS = ("from", "to", "cc", "bcc", "subject", "text", "html", "importance", "message_id", "in_reply_to")
_MAIL_KEYS = frozenset({*_TEXT_KEYS, "sent", "references", "attachments"}) | _PLACE_KEYS
_FILE_MAIL_KEYS = _PLACE_KEYS | {"file", "eml"}
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

    `calendars` and `contacts` map each calendar's and contact folder's name to its content. `skipped` is what its files
    have besides, which was left out.
    """

    address: str
    display_name: str
    folders: tuple[tuple[str, ...], ...] = ()
    mails: tuple[SampleMail, ...] = ()
    calendars: Mapping[str, Sequence[Series]] = field(default_factory=dict)
    contacts: Mapping[str, Sequence[Card]] = field(default_factory=dict)
    skipped: tuple[SkippedItem, ...] = ()

    @property
    def size(self) -> int:
        """The number of mails, events and contacts; a series counts once."""
        return len(self.mails) + sum(map(len, (*self.calendars.values(), *self.contacts.values())))


def names() -> tuple[str, ...]:
    """The names of the sample mailboxes that ship with the emulator, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in _fixtures().glob(f"*/{_FILE}")))


def load(name: str) -> Sample:
    """The sample mailbox with that name, or the one that `mailbox.toml` in the directory `name` describes.

    Equal calls give equal samples. Raises InvalidRequest for an unknown name or an invalid file.
    """
    known = names()
    directory = _fixtures() / name if name in known else Path(name)
    # An empty name would be the current directory.
    if name and _is_folder(directory):
        sample = _read(Folder(directory), str(directory / _FILE))
        if sample is not None:
            return sample
        raise InvalidRequest(
            f"The folder {directory} has no {_FILE}, which describes a mailbox. `outlook-emulator init` makes one."
        )
    raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Available: {', '.join(known)}.")


def unpacked(content: bytes, most_bytes: int) -> Sample:
    """The sample mailbox in a zip file of its folder. Raises InvalidRequest, and BodyTooLarge for too many bytes."""
    sample = _read(Zip(content, most_bytes), _FILE)
    if sample is None:
        raise InvalidRequest(f"The zip file has no {_FILE}, which describes a mailbox.")
    return sample


def described(description: Mapping[str, Any]) -> Sample:
    """The sample mailbox that a mapping with the keys of `mailbox.toml` describes. Raises InvalidRequest."""
    return _sample(_Table(description, "mailbox", _SAMPLE_KEYS), NoFiles())


def _read(files: SampleFiles, place: str) -> Sample | None:
    content = files.read(_FILE)
    if content is None:
        return None
    try:
        # Some editors begin a file with a byte order mark.
        description = tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise InvalidRequest(f"{place} nests too deep.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{place} is not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{place} is not in UTF-8.") from error
    return _sample(_Table(description, place, _SAMPLE_KEYS), files)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


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
        value = self.values.get(key)
        # TOML has times of its own, JSON has only texts.
        if not isinstance(value, str):
            value = self._value(key, datetime, "a date with a time", None).isoformat()
        try:
            return instant_of(datetime.fromisoformat(value))
        except ValueError:
            raise self.error(f"'{key}' must be a date with a time in ISO 8601, not '{value[:50]}'") from None

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


def _sample(table: _Table, files: SampleFiles) -> Sample:
    owner = Address(table.text("address"), table.text("display_name"))
    skipped: list[SkippedItem] = []
    mails = [_mail(values, files, owner, skipped) for values in _mail_tables(table)]
    for file in table.values_of("mail_files"):
        mails.extend(_mail(values, files, owner, skipped) for values in _json_lines(table, str(file), files))
    for name in files.below(_MAIL_FOLDER, ".eml"):
        mails.extend(_listed(name, files, _mail_of_file, skipped))
    folders = tuple(table.folder(path) for path in table.values_of("folders"))
    return Sample(
        address=owner.address,
        display_name=owner.name,
        folders=folders,
        mails=tuple(mails),
        calendars=_contents(table, "calendar", _CALENDAR_KEYS, "Calendar", files, _events, skipped),
        contacts=_contents(table, "contacts", _CONTACTS_KEYS, "Contacts", files, _cards, skipped),
        skipped=tuple(skipped),
    )


def _mail_of_file(name: str, content: bytes) -> Parsed[SampleMail]:
    """A mail in the folder `mail`: the folders between name its mail folder, and its own date is when it arrived."""
    from outlook_emulator.mailbox.formats.mime import parse_lenient

    *between, _ = name.removeprefix(f"{_MAIL_FOLDER}/").split("/")
    parsed = parse_lenient(content)
    (mail,) = parsed.items
    if mail.sent is None:
        raise InvalidRequest(
            "the mail has no date. Move the file elsewhere, and name it in a [[mail]] with 'received'."
        )
    folder = tuple(between) or ("Inbox",)
    # As in Outlook: a mail that the owner wrote is read.
    is_read = folder[0] in ("Sent Items", "Drafts")
    return Parsed([SampleMail(mail=mail, folder=folder, received=mail.sent, is_read=is_read)], parsed.skipped)


def _contents(
    table: _Table,
    key: str,
    keys: frozenset[str],
    default: str,
    files: SampleFiles,
    parse: Callable[[bytes], Parsed[T]],
    skipped: list[SkippedItem],
) -> dict[str, list[T]]:
    """The content of each calendar or contact folder, by its name."""
    folders: dict[str, list[T]] = {}
    # The format of the files names the key of their text, and their extension.
    (format,) = keys - {"name", "files"}
    for values in table.tables(key, keys):
        contents = folders.setdefault(values.text("name"), [])
        if format in values.values:
            parsed = _parsed(values.place, parse, values.text(format).encode())
            contents.extend(_items(values.place, parsed, skipped))
        for file in map(str, values.values_of("files")):
            contents.extend(_items(file, _parsed(file, parse, _content(values, file, files)), skipped))
    for file in files.below(_FOLDERS[key], f".{format}"):
        *between, _ = file.removeprefix(f"{_FOLDERS[key]}/").split("/")
        items = _listed(file, files, lambda _, content: parse(content), skipped)
        folders.setdefault(between[0] if between else default, []).extend(items)
    return folders


def _listed(
    name: str, files: SampleFiles, parse: Callable[[str, bytes], Parsed[T]], skipped: list[SkippedItem]
) -> list[T]:
    """What is in a file of a folder for such files. A file that cannot be read is left out."""
    content = files.read(name)
    try:
        if content is None:
            raise InvalidRequest("it is a link that leads out of the folder. Put the file itself there.")
        return _items(name, parse(name, content), skipped)
    except InvalidRequest as error:
        skipped.append(SkippedItem(name, None, error.message))
        return []


def _items(place: str, parsed: Parsed[T], skipped: list[SkippedItem]) -> list[T]:
    """What a file has, with its name added to what was left out."""
    skipped.extend(replace(item, item=f"{place}: {item.item}") for item in parsed.skipped)
    return parsed.items


def _parsed(place: str, parse: Callable[[bytes], T], content: bytes) -> T:
    """What is in a file. Its errors name the place."""
    try:
        return parse(content)
    except InvalidRequest as error:
        raise InvalidRequest(f"{place}: {error}") from error


def _events(raw: bytes) -> Parsed[Series]:
    from outlook_emulator.mailbox.formats import ics

    return ics.parse(raw)


def _cards(raw: bytes) -> Parsed[Card]:
    from outlook_emulator.mailbox.formats import vcf

    return vcf.parse(raw)


def _mail_tables(table: _Table) -> Iterator[_Table]:
    for number, values in enumerate(table.values_of("mail"), start=1):
        yield _mail_table(values, f"{table.place}, mail {number}")


def _json_lines(table: _Table, file: str, files: SampleFiles) -> Iterator[_Table]:
    """The mails of a file that has one JSON object a line, with the keys of `[[mail]]`."""
    for number, line in enumerate(_content(table, file, files).splitlines(), start=1):
        place = f"{file}, line {number}"
        try:
            values = orjson.loads(line)
        except ValueError as error:
            raise InvalidRequest(f"{place} is not JSON: {error}.") from error
        yield _mail_table(values, place)


def _mail_table(values: Any, place: str) -> _Table:
    is_file = isinstance(values, Mapping) and not values.keys().isdisjoint(("file", "eml"))
    return _Table(values, place, _FILE_MAIL_KEYS if is_file else _MAIL_KEYS)


def _mail(table: _Table, files: SampleFiles, owner: Address, skipped: list[SkippedItem]) -> SampleMail:
    received = table.instant("received")
    is_whole = "file" in table.values or "eml" in table.values
    return SampleMail(
        mail=_whole_mail(table, files, skipped) if is_whole else _from_keys(table, owner, received),
        folder=table.folder(table.values.get("folder")),
        received=received,
        is_read=table.flag("read"),
        is_flagged=table.flag("flagged"),
    )


def _whole_mail(table: _Table, files: SampleFiles, skipped: list[SkippedItem]) -> Mail:
    from outlook_emulator.mailbox.formats.mime import parse_lenient

    if "eml" in table.values:
        place, content = table.place, table.text("eml").encode()
    else:
        place = table.text("file")
        content = _content(table, place, files)
    (mail,) = _items(place, _parsed(place, parse_lenient, content), skipped)
    return mail


def _content(table: _Table, file: str, files: SampleFiles) -> bytes:
    for source in (files, Folder(_fixtures())):
        content = source.read(file)
        if content is not None:
            return content
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
