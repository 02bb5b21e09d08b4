"""Points the `connections.json` of a Logic Apps Standard project at an emulator, and back.

The URL and the credential of a connection are in that file, in an app setting of `local.settings.json`, or in a
parameter of `parameters.json`. Each is changed in its place, and everything else stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from outlook_emulator.logic_apps import file_backup, json_edit
from outlook_emulator.logic_apps.file_backup import PatchError
from outlook_emulator.logic_apps.json_edit import Value

KEY = "outlook-emulator"
"""The connection key for connections without one; an emulator accepts any key by default."""
_API = "/managedapis/outlook"
_RUNS_LOCALLY = ("raw", "activedirectoryoauth")
"""The types of authentication that the local runtime accepts (its own message says so)."""
_RAW = {"type": "Raw", "scheme": "Key", "parameter": KEY}
# Bare or in braces, as the expressions of Logic Apps; a quote inside the name is doubled.
_REFERENCE = re.compile(
    r"@(?P<brace>\{)?\s*(?P<kind>appsetting|parameters)\(\s*'(?P<name>(?:[^']|'')*)'\s*\)(?(brace)\s*\})", re.IGNORECASE
)
_URL = re.compile(r"https?://[^/?#]+(.*)", re.IGNORECASE | re.DOTALL)
_ORIGIN = re.compile(r"(https?://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?)/?", re.IGNORECASE)
_LAST_PORT = 65535


class Edit(NamedTuple):
    """One change of a value in a file, for display; it never contains a key."""

    file: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Patch:
    """The changes and the writes that make them; both are empty if nothing needs to change."""

    edits: list[Edit]
    writes: list[file_backup.Write]


def patch(
    file: Path, url: str, *, connection: str | None = None, settings: Path | None = None, force: bool = False
) -> Patch:
    """The patch that points a project at the emulator at `url`; `file_backup.write` applies it. Raises PatchError.

    By default it changes all connections of the Outlook.com connector. `settings` replaces the `local.settings.json`
    beside the file. With `force`, it also changes files that were edited after an earlier patch.
    """
    project = _Project(file, origin(url), settings)
    for name in _chosen(project, connection):
        project.point(name)
    changes = project.changes()
    writes = file_backup.prepare(file.resolve(), changes, force=force) if changes else []
    return Patch(project.edits, writes)


def restore(file: Path, *, force: bool = False) -> list[Path]:
    """Restore the patched files byte for byte, and return them. Raises PatchError."""
    return file_backup.restore(file.resolve(), force=force)


def origin(url: str) -> str:
    """Scheme, host and port of an emulator's URL. Raises PatchError for any other URL."""
    match = _ORIGIN.fullmatch(url)
    if match is None or int(match[2] or 0) > _LAST_PORT:
        raise PatchError(f"'{url}' is not the http(s) URL of an emulator, such as http://127.0.0.1:4365")
    return match[1]


def _reference(string: str | None) -> tuple[str, str] | None:
    """The kind and the name of a reference in a text, None without one."""
    match = _REFERENCE.fullmatch(string or "")
    return (match["kind"].lower(), match["name"].replace("''", "'")) if match else None


def _chosen(project: _Project, connection: str | None) -> list[str]:
    """The names of the connections to change. Raises PatchError if there are none."""
    apis = project.apis()
    if connection is not None:
        if connection not in apis:
            raise PatchError(f"{project.file} has no connection '{connection}'; it has: {', '.join(apis) or 'none'}")
        return [connection]
    names = [name for name, api in apis.items() if api.rstrip("/").lower().endswith(_API)]
    if not names:
        has = ", ".join(f"{name} ({api.rpartition('/')[2] or 'no API'})" for name, api in apis.items())
        raise PatchError(f"{project.file} has no connection of the API outlook; it has: {has or 'none'}")
    return names


@dataclass(slots=True)
class _Document:
    """A file of the project, with its original content and its current text."""

    path: Path
    before: bytes
    text: str
    root: Value = field(init=False)

    def __post_init__(self) -> None:
        self.update(self.text)

    def update(self, text: str) -> None:
        """Replace the text. Raises PatchError if it is not JSON."""
        try:
            # Read again after each edit, which moves all later values.
            self.root = json_edit.parse(text)
        except ValueError as error:
            raise PatchError(f"{self.path} is not valid JSON: {error}") from None
        self.text = text

    @classmethod
    def read(cls, path: Path) -> _Document:
        before = file_backup.read(path)
        try:
            return cls(path, before, before.decode())
        except UnicodeDecodeError:
            raise PatchError(f"{path} is not written in UTF-8") from None


class _Values(NamedTuple):
    """The app settings: their file, and the JSON object that contains them."""

    document: _Document
    value: Value


class _Place(NamedTuple):
    """A place in a file, and the value there; None if it is missing."""

    document: _Document
    value: Value | None

    @property
    def string(self) -> str | None:
        return self.value.string if self.value else None


class _Project:
    """The files of a project while their values are changed."""

    def __init__(self, file: Path, origin: str, settings: Path | None) -> None:
        self.file = file
        self.edits: list[Edit] = []
        self._origin = origin
        self._main = _Document.read(file)
        self._others: dict[Path, _Document | None] = {}
        self._settings_path = settings or file.with_name("local.settings.json")
        self._parameters_path = file.with_name("parameters.json")
        if settings is not None:
            if settings.resolve() == file.resolve():
                raise PatchError(f"{settings} is the connections.json itself")
            # Read at once: a file that was named must exist, while the default one may be missing.
            self._others[settings] = _Document.read(settings)
        managed = self._main.root.get("managedApiConnections")
        if managed is None or managed.members is None:
            raise PatchError(f"{file} is not a connections.json: it has no managedApiConnections")

    def apis(self) -> dict[str, str]:
        """The API of each connection, empty if it names none."""
        managed = self._main.root.get("managedApiConnections")
        assert managed is not None
        apis = {member.name: member.value.get("api") for member in managed.members or ()}
        ids = {name: api.get("id") if api else None for name, api in apis.items()}
        return {name: (id.string or "") if id else "" for name, id in ids.items()}

    def changes(self) -> dict[Path, file_backup.Change]:
        """The files whose content changes."""
        # By their real paths: a file is replaced when it is written, and a symbolic link must stay a link.
        documents = [document for document in (self._main, *self._others.values()) if document]
        changes = {
            document.path.resolve(): file_backup.Change(document.before, document.text.encode())
            for document in documents
        }
        return {path: change for path, change in changes.items() if change.before != change.after}

    def point(self, name: str) -> None:
        """Point a connection at the emulator, with a credential that the local runtime accepts. Raises PatchError."""
        if self._entry(name).members is None:
            raise PatchError(f"the connection '{name}' of {self.file} is not an object")
        self._point_url(name)
        self._point_authentication(name)

    def _point_url(self, name: str) -> None:
        what = f"{name}: connectionRuntimeUrl"
        place = self._resolve(_Place(self._main, self._entry(name).get("connectionRuntimeUrl")), what)
        match = _URL.fullmatch(place.string or "")
        if place.value is None or match is None:
            shown = "missing" if place.string is None else f"'{place.string[:200]}'"
            raise PatchError(f"{what} must be an http(s) URL, @appsetting('…') or @parameters('…'), but is {shown}")
        # The path stays, since it names the connection.
        pointed = self._origin + match[1]
        self._replace(place, json.dumps(pointed), Edit(str(place.document.path), what, match[0], pointed))

    def _point_authentication(self, name: str) -> None:
        what = f"{name}: authentication"
        own = _Place(self._main, self._entry(name).get("authentication"))
        if own.value is None:
            self._add(
                self._main, self._entry(name), "authentication", _RAW, Edit(str(self.file), what, "missing", "Raw")
            )
            return
        place = self._resolve(own, what)
        if place.value is None or place.value.members is None:
            # An app setting is a string and cannot contain an object, so the object replaces the reference.
            self._replace(own, json.dumps(_RAW), Edit(str(self.file), what, "no object", "Raw"))
            return
        type = self._resolve(_Place(place.document, place.value.get("type")), f"{what}.type").string or "no type"
        if type.lower() not in _RUNS_LOCALLY:
            raw = json_edit.object_like(place.document.text, place.value, _RAW)
            self._replace(place, raw, Edit(str(place.document.path), what, type, "Raw"))
        elif type.lower() == "raw":
            self._ensure_key(place, f"{what}.parameter")

    def _ensure_key(self, authentication: _Place, what: str) -> None:
        """Give a Raw authentication a key if it has none."""
        document, owner = authentication
        assert owner is not None
        place = _Place(document, owner.get("parameter"))
        if place.value is None:
            self._add(document, owner, "parameter", KEY, Edit(str(document.path), what, "missing", "a key"))
            return
        steps = list(self._follow(place))
        if steps[-1].string:
            return
        # A reference to a missing app setting gets that setting if its file exists; otherwise the key replaces it.
        *_, last = (step for step in steps if step.value is not None)
        kind, name = _reference(last.string) or ("", "")
        values = self._values() if kind == "appsetting" else None
        if values is None:
            self._replace(last, json.dumps(KEY), Edit(str(last.document.path), what, "empty or missing", "a key"))
        else:
            edit = Edit(str(values.document.path), f"{what} ('{name}')", "missing", "a key")
            self._add(values.document, values.value, name, KEY, edit)

    def _entry(self, name: str) -> Value:
        managed = self._main.root.get("managedApiConnections")
        entry = managed.get(name) if managed else None
        assert entry is not None
        return entry

    def _resolve(self, place: _Place, what: str) -> _Place:
        """Follow references to the place of a value. Raises PatchError for a reference without a target."""
        *_, before, last = (place, *self._follow(place))
        if last.value is None and before.value is not None and before is not last:
            raise PatchError(f"{what} is {before.string}, {self._missing(before)}")
        return last

    def _missing(self, place: _Place) -> str:
        """Why a reference has no target."""
        kind, _ = _reference(place.string) or ("", "")
        path = self._parameters_path if kind == "parameters" else self._settings_path
        return f"which {path} does not have" if self._other(path) else f"but there is no {path}"

    def _follow(self, place: _Place) -> Iterator[_Place]:
        """A place, and each place that a reference leads to. Raises PatchError for circular references."""
        seen: set[tuple[str, str]] = set()
        yield place
        while step := _reference(place.string):
            if step in seen:
                raise PatchError(f"{place.document.path}: {place.string} refers to itself")
            seen.add(step)
            place = self._lookup(*step, place.document)
            yield place

    def _lookup(self, kind: str, name: str, document: _Document) -> _Place:
        """The place of an app setting or a parameter; without it, an empty place in the referring document."""
        if kind == "appsetting":
            values = self._values()
            return _Place(values.document, values.value.get(name)) if values else _Place(document, None)
        parameters = self._other(self._parameters_path)
        parameter = parameters.root.get(name) if parameters else None
        return _Place(parameters or document, parameter.get("value") if parameter else None)

    def _values(self) -> _Values | None:
        """The app settings, None without a file of them. Raises PatchError if they are encrypted."""
        settings = self._other(self._settings_path)
        if settings is None or (values := settings.root.get("Values")) is None or values.members is None:
            return None
        encrypted = settings.root.get("IsEncrypted")
        if encrypted and settings.text[encrypted.start : encrypted.end] == "true":
            raise PatchError(f"the values of {settings.path} are encrypted; `func settings decrypt` decrypts them")
        return _Values(settings, values)

    def _replace(self, place: _Place, written: str, edit: Edit) -> None:
        assert place.value is not None
        self._update(place.document, json_edit.replaced(place.document.text, place.value, written), edit)

    def _add(self, document: _Document, owner: Value, name: str, value: object, edit: Edit) -> None:
        self._update(document, json_edit.with_member(document.text, owner, name, json.dumps(value)), edit)

    def _update(self, document: _Document, text: str, edit: Edit) -> None:
        # A value that is right already keeps its file unchanged.
        if edit.before != edit.after:
            document.update(text)
            self.edits.append(edit)

    def _other(self, path: Path) -> _Document | None:
        """Another file of the project, read on first use; None if it does not exist."""
        if path not in self._others:
            self._others[path] = _Document.read(path) if path.exists() else None
        return self._others[path]
