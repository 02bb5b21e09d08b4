"""The files of a Logic Apps project, as JSON whose values are changed in their places.

A value of `connections.json` may refer to an app setting in `local.settings.json` or to a parameter in
`parameters.json`. A parameter may refer to an app setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from outlook_emulator.logic_apps import file_backup, json_edit
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.json_edit import Value
from outlook_emulator.logic_apps.report import Report, counted, silent
from outlook_emulator.logic_apps.value_edits import ValueEdit

CONNECTIONS = "managedApiConnections"
_VALUES = "Values"
_NEW_CONNECTIONS = '{\n  "managedApiConnections": {}\n}\n'
# What the local host needs in any case, as the project templates of Visual Studio Code have it.
_NEW_SETTINGS = """\
{
  "IsEncrypted": false,
  "Values": {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "APP_KIND": "workflowapp",
    "FUNCTIONS_WORKER_RUNTIME": "node"
  }
}
"""
# Bare or in braces, as the expressions of Logic Apps; a quote inside the name is doubled.
_REFERENCE = re.compile(
    r"@(?P<brace>\{)?\s*(?P<kind>appsetting|parameters)\(\s*'(?P<name>(?:[^']|'')*)'\s*\)(?(brace)\s*\})", re.IGNORECASE
)
_DEEPEST = 10
"""How many references in a row are followed in a text."""
_Path = tuple[str, ...]


class Reference(NamedTuple):
    """A reference to an app setting or a parameter: its kind in lower case, and the name."""

    kind: str
    name: str

    @classmethod
    def of(cls, match: re.Match[str]) -> Reference:
        return cls(match["kind"].lower(), match["name"].replace("''", "'"))


def whole_reference(string: str | None) -> Reference | None:
    """The reference that a text consists of, None for any other text."""
    match = _REFERENCE.fullmatch(string or "")
    return Reference.of(match) if match else None


@dataclass(slots=True)
class Document:
    """A file of the project: its original content, None for a file that does not exist yet, and its current text."""

    path: Path
    before: bytes | None
    text: str
    root: Value = field(init=False)
    edits: list[ValueEdit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._update(self.text)

    @classmethod
    def read(cls, path: Path, new: str | None = None) -> Document:
        """Read a file. A missing or empty one has the text `new`, if there is one. Raises PatchError."""
        before = file_backup.read_if_exists(path) if new is not None else file_backup.read(path)
        if new is not None and not (before or b"").strip():
            return cls(path, before, new)
        try:
            return cls(path, before, (before or b"").decode())
        except UnicodeDecodeError:
            raise PatchError(f"{path} is not written in UTF-8") from None

    def set(self, path: _Path, json_text: str) -> None:
        """Replace or add a value. The object around it must exist."""
        self.set_all({path: json_text})

    def add(self, path: _Path, json_text: str) -> None:
        """Add a member, even beside one whose name differs only in case."""
        owner = self.root.at(path[:-1])
        assert owner is not None
        self.edit(json_edit.with_member(self.text, owner, path[-1], json_text), ValueEdit(path, None, json_text))

    def edit(self, text: str, *edits: ValueEdit) -> None:
        """Replace the whole text, which differs in these values."""
        self._update(text)
        self.edits.extend(edits)

    def set_all(self, values: Mapping[_Path, str]) -> None:
        """Replace or add values, none inside another."""
        text, edits = self.text, []
        # From the end, so that the positions of the earlier ones stay right.
        for path in sorted(values, key=self._position, reverse=True):
            value, owner = self.root.at(path), self.root.at(path[:-1])
            assert owner is not None
            if value is None:
                text = json_edit.with_member(text, owner, path[-1], values[path])
            else:
                text = json_edit.replaced(text, value, values[path])
            before = None if value is None else self.text[value.start : value.end]
            edits.append(ValueEdit(path, before, values[path]))
        self.edit(text, *edits)

    def _position(self, path: _Path) -> int:
        place = self.root.at(path) or self.root.at(path[:-1])
        assert place is not None
        return place.end

    def _update(self, text: str) -> None:
        try:
            # Read again after each edit, which moves all later values.
            self.root = json_edit.parse(text)
        except ValueError as error:
            raise PatchError(f"{self.path} is not valid JSON: {error}") from None
        self.text = text


class Place(NamedTuple):
    """A place in a file. `is_parameter` says that it is the value of a parameter."""

    document: Document
    path: _Path
    is_parameter: bool = False

    @property
    def value(self) -> Value | None:
        """The value at this place, None for a missing value or null."""
        value = self.document.root.at(self.path)
        return None if value and self.document.text[value.start : value.end] == "null" else value

    @property
    def string(self) -> str | None:
        value = self.value
        return value.string if value else None

    @property
    def has_this_case(self) -> bool:
        """Whether the last name of the path is in the file in the same upper and lower case."""
        owner = self.document.root.at(self.path[:-1])
        return any(member.name == self.path[-1] for member in (owner.members if owner else None) or ())

    def member(self, name: str) -> Place:
        return Place(self.document, (*self.path, name))


class Project:
    """The files of a project, each read on first use."""

    def __init__(self, file: Path, settings: Path | None = None, *, create: bool = False) -> None:
        """Read `connections.json`; with `create`, it may be missing. Raises PatchError."""
        self.file = file
        self.settings_path = settings or file.with_name("local.settings.json")
        self._parameters_path = file.with_name("parameters.json")
        self.main = Document.read(file, _NEW_CONNECTIONS if create else None)
        self._others: dict[Path, Document] = {}
        if settings is not None:
            if settings.resolve() == file.resolve():
                raise PatchError(f"{settings} is the connections.json itself")
            # Read at once: a file that was named must exist, while the default one may be missing.
            self._others[settings] = Document.read(settings)
        managed = self.main.root.get(CONNECTIONS)
        if managed is None and create and self.main.root.members is not None:
            self.main.set((CONNECTIONS,), "{}")
        elif managed is None or managed.members is None:
            raise PatchError(f"{file} is not a connections.json: it has no {CONNECTIONS}")

    def names(self) -> list[str]:
        """The names of all connections."""
        managed = self.main.root.get(CONNECTIONS)
        return list(dict.fromkeys(member.name for member in (managed.members if managed else None) or ()))

    def connection(self, name: str) -> Place:
        return Place(self.main, (CONNECTIONS, name))

    def add_connection(self, name: str, entry: object) -> None:
        """Add a connection of a new name."""
        managed = self.main.root.get(CONNECTIONS)
        assert managed is not None
        path, written = (CONNECTIONS, name), json_edit.pretty(self.main.text, entry, 2)
        if managed.members:
            self.main.add(path, written)
        else:
            around = json_edit.pretty(self.main.text, {name: entry}, 1)
            self.main.edit(json_edit.replaced(self.main.text, managed, around), ValueEdit(path, None, written))

    def workflows(self, report: Report = silent) -> Iterator[Document]:
        """The workflow definitions, each in a folder of its own."""
        for path in counted(sorted(self.file.parent.glob("*/workflow.json")), "reading workflows", report):
            if path not in self._others:
                self._others[path] = Document.read(path)
            yield self._others[path]

    def changes(self) -> dict[Path, file_backup.Change]:
        """The files whose content changes."""
        # By their real paths: a file is replaced when it is written, and a symbolic link must stay a link.
        documents = [document for document in (self.main, *self._others.values()) if document.edits]
        return {
            document.path.resolve(): file_backup.Change(document.before, document.text.encode(), document.edits)
            for document in documents
        }

    def follow(self, place: Place) -> list[Place]:
        """A place, and each place that a reference leads to. Raises PatchError for circular references."""
        places = [place]
        while step := whole_reference(places[-1].string):
            target = self.target(step)
            if any(target.document is seen.document and target.path == seen.path for seen in places):
                raise PatchError(f"{places[-1].document.path}: {places[-1].string} refers to itself")
            places.append(target)
        return places

    def expand(self, text: str, depth: int = 0) -> str:
        """A text with all references in it replaced by what they refer to. A reference without a target stays."""

        def value(match: re.Match[str]) -> str:
            reference = Reference.of(match)
            if depth > _DEEPEST or (reference.kind == "appsetting" and self.has_encrypted_settings()):
                return match[0]
            target = self.target(reference).string
            return match[0] if target is None else self.expand(target, depth + 1)

        return _REFERENCE.sub(value, text)

    def missing_settings(self, text: str) -> Iterable[re.Match[str]]:
        """The references in a text to app settings that do not exist; none if the settings are encrypted."""
        if self.has_encrypted_settings():
            return []
        matches = [match for match in _REFERENCE.finditer(text) if match["kind"].lower() == "appsetting"]
        return [match for match in matches if self.target(Reference.of(match)).value is None]

    def target(self, reference: Reference) -> Place:
        """The place of an app setting or a parameter, whether it exists or not. Raises PatchError."""
        if reference.kind == "appsetting":
            return self.setting(reference.name)
        return Place(self._other(self._parameters_path, "{}"), (reference.name, "value"), is_parameter=True)

    def setting(self, name: str) -> Place:
        """The place of an app setting. Raises PatchError if the settings are encrypted."""
        if self.has_encrypted_settings():
            raise PatchError(f"the values of {self.settings_path} are encrypted; `func settings decrypt` decrypts them")
        return Place(self._settings(), (_VALUES, name))

    def has_encrypted_settings(self) -> bool:
        settings = self._settings()
        encrypted = settings.root.get("IsEncrypted")
        return encrypted is not None and settings.text[encrypted.start : encrypted.end] == "true"

    def has_settings(self) -> bool:
        """Whether the file of the app settings exists."""
        return self._settings().before is not None

    def put(self, places: list[Place], value: object) -> Place:
        """Set the value that a chain of references leads to, and return its place. Raises PatchError."""
        place = places[-1]
        # A parameter that is missing has no type, so the value replaces the reference to it.
        if place.is_parameter and place.document.root.get(place.path[0]) is None:
            place = places[-2]
        if place.path[0] == _VALUES and place.document is self._settings():
            self._ensure_values()
        place.document.set(place.path, json.dumps(value))
        return place

    def _ensure_values(self) -> None:
        settings = self._settings()
        values = settings.root.get(_VALUES)
        if values is None and settings.root.members is not None:
            settings.set((_VALUES,), "{}")
        elif values is None or values.members is None:
            raise PatchError(f"{settings.path} is not a file of app settings: its {_VALUES} is not an object")

    def _settings(self) -> Document:
        return self._other(self.settings_path, _NEW_SETTINGS)

    def _other(self, path: Path, new: str) -> Document:
        if path not in self._others:
            self._others[path] = Document.read(path, new)
        return self._others[path]
