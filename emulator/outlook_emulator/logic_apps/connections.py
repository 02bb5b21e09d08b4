"""Points the connections of a Logic Apps Standard project at an emulator, and back.

The URL and the credential of a connection are in `connections.json`, in an app setting of `local.settings.json`, or in
a parameter of `parameters.json`. Each is changed in its place, and everything else stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from outlook_emulator.logic_apps import file_backup, json_edit, workflows
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.file_backup import Restored
from outlook_emulator.logic_apps.file_lock import locked
from outlook_emulator.logic_apps.key import KEY
from outlook_emulator.logic_apps.project import Place, Project, whole_reference
from outlook_emulator.logic_apps.report import Report, silent

_API = "outlook"
_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
_NEW_API_ID = f"{_SUBSCRIPTION}/providers/Microsoft.Web/locations/local/managedApis/{_API}"
_NEW_CONNECTION_ID = f"{_SUBSCRIPTION}/resourceGroups/local/providers/Microsoft.Web/connections/"
_WEBHOOK_HOST = "Workflows.WebhookRedirectHostUri"
_SCHEMES = ("key", "bearer")
_URL = re.compile(r"https?://[^/?#]+(.*)", re.IGNORECASE | re.DOTALL)
_ORIGIN = re.compile(r"(https?://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?)/?", re.IGNORECASE)
_THIS_MACHINE = re.compile(r"https?://(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?:[:/].*)?", re.IGNORECASE)
# The names that the designer gives to connections of this API.
_DESIGNER_NAME = re.compile(rf"{_API}(?:-[0-9]+)?", re.IGNORECASE)
_PORT = 7071
"""Where the local Functions host listens unless it is told otherwise."""
_LAST_PORT = 65535


class Edit(NamedTuple):
    """One change of a value in a file, for display; it never contains a key."""

    file: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a project is patched.

    By default, all connections of the Outlook.com connector are, and `settings` is the `local.settings.json` beside the
    file. `webhook_host` is the URL where the emulator reaches the workflows, `no_retries` switches their retries off,
    and `hide` keeps the changes out of what git shows.
    """

    connection: str | None = None
    settings: Path | None = None
    key: str = KEY
    webhook_host: str | None = None
    no_retries: bool = False
    hide: bool = True
    dry_run: bool = False


_DEFAULTS = Options()


class Patch(NamedTuple):
    """The changes of a patch, and whether git hides the changed files."""

    edits: list[Edit]
    is_hidden: bool


class ConnectionStatus(NamedTuple):
    """Where a connection points, and how it authenticates. `points_here` says whether it calls the emulator."""

    name: str
    url: str | None
    authentication: str | None
    points_here: bool


class Status(NamedTuple):
    """Where the connections of a project point, and the files edited since the patch; None if it is not patched."""

    connections: list[ConnectionStatus]
    edited: list[Path] | None


def patch(file: Path, url: str, options: Options = _DEFAULTS, report: Report = silent) -> Patch:
    """Point a project at the emulator at `url`. Raises PatchError; then nothing was changed."""
    file = _connections_file(file)
    base = origin(url)
    webhook_host = None if options.webhook_host is None else origin(options.webhook_host)
    with locked(file.resolve().parent):
        project = Project(file, options.settings)
        patcher = _Patcher(project, base, options.key)
        names = _chosen(project, options.connection)
        for name in names:
            patcher.point(name)
        patcher.point_webhooks(webhook_host)
        if options.no_retries:
            patcher.edits.extend(_without_retries(project, set(names), report))
        return Patch(patcher.edits, _write(project, options, report))


def add(file: Path, name: str, runtime_url: str, key: str = KEY) -> list[Edit]:
    """Add a connection to a project, which may be without a `connections.json`. Raises PatchError."""
    file = _connections_file(file)
    with locked(file.resolve().parent):
        project = Project(file, create=True)
        _check_new(project, name)
        entry = {
            "api": {"id": _NEW_API_ID},
            "connection": {"id": _NEW_CONNECTION_ID + name},
            "connectionRuntimeUrl": runtime_url,
            "authentication": _raw(key),
        }
        project.add_connection(name, entry)
        patcher = _Patcher(project, "", key)
        patcher.edits.append(Edit(str(file), name, "missing", runtime_url))
        patcher.keep_designer_away(name)
        # Unlike a patch, a new connection is a change that the user may want to commit.
        _write(project, Options(hide=False))
    return patcher.edits


def check_addable(file: Path, name: str) -> None:
    """Raises PatchError if a connection of this name cannot be added to a project."""
    _check_new(Project(_connections_file(file), create=True), name)


def _check_new(project: Project, name: str) -> None:
    if name in project.names():
        raise PatchError(f"{project.file} has a connection '{name}' already; --name chooses another name")


def restore(file: Path, *, force: bool = False, report: Report = silent) -> list[Restored]:
    """Restore the patched files byte for byte, and return them. Raises PatchError."""
    file = _connections_file(file)
    with locked(file.resolve().parent):
        return file_backup.restore(file.resolve(), force=force, report=report)


def status(file: Path, url: str, *, settings: Path | None = None) -> Status:
    """Where the connections of the Outlook.com connector point, seen from the emulator at `url`. Raises PatchError."""
    file = _connections_file(file)
    base = origin(url)
    with locked(file.resolve().parent):
        project = Project(file, settings)
        connections = [_status_of(project, name, base) for name in _of_the_connector(project)]
        return Status(connections, file_backup.edited_files(file.resolve()))


def origin(url: str) -> str:
    """Scheme, host and port of an emulator's URL. Raises PatchError for any other URL."""
    match = _ORIGIN.fullmatch(url)
    if match is None or int(match[2] or 0) > _LAST_PORT:
        raise PatchError(f"'{url}' is not the http(s) URL of an emulator, such as http://127.0.0.1:4365")
    return match[1]


def _connections_file(file: Path) -> Path:
    """The `connections.json` that a path means: itself, or the one in a folder."""
    return file / "connections.json" if file.is_dir() else file


def _write(project: Project, options: Options, report: Report = silent) -> bool:
    """Write the changes; returns whether git hides them."""
    changes = project.changes()
    if not changes or options.dry_run:
        return False
    return file_backup.change(project.file.resolve(), changes, hide=options.hide, report=report)


def _chosen(project: Project, connection: str | None) -> list[str]:
    """The names of the connections to change. Raises PatchError if there are none."""
    names = project.names()
    if connection is not None:
        if connection not in names:
            raise PatchError(f"{project.file} has no connection '{connection}'; it has: {', '.join(names) or 'none'}")
        return [connection]
    chosen = _of_the_connector(project)
    if not chosen:
        has = ", ".join(f"{name} ({_api(project, name).rpartition('/')[2] or 'no API'})" for name in names)
        raise PatchError(
            f"{project.file} has no connection of the API outlook; it has: {has or 'none'}. "
            "`outlook-emulator connections add --project FILE` adds one"
        )
    return chosen


def _of_the_connector(project: Project) -> list[str]:
    return [name for name in project.names() if _is_of_the_connector(project, name)]


def _is_of_the_connector(project: Project, name: str) -> bool:
    api = _api(project, name)
    last = api.rpartition("/")[2]
    if not api or "@" not in last:
        return api.lower().endswith(f"/managedapis/{_API}")
    # The API is in an app setting that is missing, as in a fresh checkout. The runtime URL names it as well.
    url = project.expand(project.connection(name).member("connectionRuntimeUrl").string or "")
    if _URL.fullmatch(url):
        return f"/apim/{_API}/" in url.lower()
    return _DESIGNER_NAME.fullmatch(name) is not None


def _api(project: Project, name: str) -> str:
    """The id of a connection's API, empty if it has none."""
    return project.expand(project.connection(name).member("api").member("id").string or "").rstrip("/")


def _status_of(project: Project, name: str, base: str) -> ConnectionStatus:
    entry = project.connection(name)
    url = project.expand(entry.member("connectionRuntimeUrl").string or "") or None
    authentication = project.follow(entry.member("authentication"))[-1]
    kind = project.expand(authentication.member("type").string or "") or None
    key = project.expand(authentication.member("parameter").string or "")
    is_local = (kind or "").lower() == "raw" and bool(key) and whole_reference(key) is None
    match = _URL.fullmatch(url or "")
    points = match is not None and url is not None and url[: match.start(1)].lower() == base.lower()
    return ConnectionStatus(name, url, kind, points and is_local)


def _without_retries(project: Project, names: set[str], report: Report) -> list[Edit]:
    return [
        Edit(str(document.path), f"{operation}: retryPolicy", before, "none")
        for document in project.workflows(report)
        for operation, before in workflows.disable_retries(document, names)
    ]


def _raw(key: str) -> dict[str, str]:
    return {"type": "Raw", "scheme": "Key", "parameter": key}


class _Patcher:
    """Changes the values of a project that point its connections at an emulator, and notes the edits."""

    def __init__(self, project: Project, origin: str, key: str) -> None:
        self.edits: list[Edit] = []
        self._project = project
        self._origin = origin
        self._key = key

    def point(self, name: str) -> None:
        """Point a connection at the emulator, with a credential that the local runtime accepts. Raises PatchError."""
        entry = self._project.connection(name)
        if entry.value is None or entry.value.members is None:
            raise PatchError(f"the connection '{name}' of {self._project.file} is not an object")
        self._invent_settings(entry.member("api").member("id"), name, _NEW_API_ID)
        self._invent_settings(entry.member("connection").member("id"), name, _NEW_CONNECTION_ID + name)
        self._point_url(name)
        self._point_authentication(name)
        self.keep_designer_away(name)

    def point_webhooks(self, host: str | None) -> None:
        """Let callbacks go to `host`, or at least not to the address of a tunnel from the Internet."""
        project = self._project
        if host is None and (not project.has_settings() or project.has_encrypted_settings()):
            return
        place = project.setting(_WEBHOOK_HOST)
        current = place.string or ""
        if host is None:
            if not current or _THIS_MACHINE.fullmatch(current):
                return
            port = place.document.root.at(("Host", "LocalHttpPort"))
            host = f"http://localhost:{place.document.text[port.start : port.end] if port else _PORT}"
        if current != host:
            self._put([place], host, _WEBHOOK_HOST, current or "missing", host)

    def keep_designer_away(self, name: str) -> None:
        """Keep the designer from fetching a real key, and with it the real runtime URL.

        It does so if the app setting `NAME-connectionKey` is missing or expired, whatever the connection refers to.
        """
        project = self._project
        if not project.has_settings() or project.has_encrypted_settings():
            return
        if not (project.connection(name).member("connection").member("id").string or "").startswith("/subscriptions/"):
            return
        place = project.setting(f"{name}-connectionKey")
        what, before = f"{name}: {place.path[-1]}", "a key" if place.string else "missing"
        if place.value is None or place.has_this_case:
            if place.string != self._key:
                self._put([place], self._key, what, before, "the emulator's key")
        else:
            # Unlike the runtime, the designer distinguishes upper and lower case.
            place.document.add(place.path, json.dumps(self._key))
            self._note(place, what, "missing", "the emulator's key")

    def _invent_settings(self, place: Place, name: str, whole: str) -> None:
        """Add the missing app settings that a text refers to, since the runtime refuses a connection without them.

        `whole` is the value of a setting that is the whole text.
        """
        for step in self._project.follow(place):
            text = step.string or ""
            for match in self._project.missing_settings(text):
                value = whole if match[0] == text else _invented_segment(text[: match.start()], name)
                reference = whole_reference(match[0])
                assert reference is not None
                target = self._project.target(reference)
                if target.value is None:
                    self._put([target], value, f"{name}: {reference.name}", "missing", value)

    def _point_url(self, name: str) -> None:
        what = f"{name}: connectionRuntimeUrl"
        places = self._project.follow(self._project.connection(name).member("connectionRuntimeUrl"))
        text = places[-1].string or ""
        match = _URL.fullmatch(text) or _URL.fullmatch(self._project.expand(text))
        if match is None and not self._is_missing(places[-1]):
            shown = "not a text" if places[-1].string is None else f"'{text[:200]}'"
            raise PatchError(f"{what} must be an http(s) URL, @appsetting('…') or @parameters('…'), but is {shown}")
        # The path stays, since it names the connection.
        pointed = self._origin + (match[1] if match else f"/apim/{_API}/{quote(name, safe='')}")
        if text != pointed:
            self._put(places, pointed, what, text or "missing", pointed)
        self._invent_settings(places[0], name, name)

    def _is_missing(self, place: Place) -> bool:
        """Whether there is no value, or only an expression whose app settings do not exist, as in a fresh checkout."""
        if place.value is None or place.string == "":
            return True
        return any(self._project.missing_settings(place.string or ""))

    def _point_authentication(self, name: str) -> None:
        what = f"{name}: authentication"
        own = self._project.connection(name).member("authentication")
        place = self._project.follow(own)[-1]
        if place.value is None or place.value.members is None:
            # An app setting is a string and cannot contain an object, so the object replaces the reference.
            self._put([own], _raw(self._key), what, "missing" if own.value is None else "no object", "Raw")
            return
        type, scheme = (self._project.expand(place.member(member).string or "") for member in ("type", "scheme"))
        if type.lower() == "raw" and scheme.lower() in _SCHEMES:
            self._set_key(place.member("parameter"), f"{what}.parameter")
            return
        raw = json_edit.object_like(place.document.text, place.value, _raw(self._key))
        place.document.set(place.path, raw)
        self._note(place, what, type or "no type", "Raw")

    def _set_key(self, place: Place, what: str) -> None:
        places = self._project.follow(place)
        if places[-1].string != self._key:
            before = "a key" if places[-1].string else "empty or missing"
            self._put(places, self._key, what, before, "the emulator's key")

    def _put(self, places: list[Place], value: object, what: str, before: str, after: str) -> None:
        self._note(self._project.put(places, value), what, before, after)

    def _note(self, place: Place, what: str, before: str, after: str) -> None:
        self.edits.append(Edit(str(place.document.path), what, before, after))


def _invented_segment(before: str, name: str) -> str:
    """A value for the part of an id or a URL that follows a text."""
    segment = before.rstrip("/").rpartition("/")[2].lower()
    return {
        "subscriptions": "00000000-0000-0000-0000-000000000000",
        "managedapis": _API,
        _API: name,
        "connections": name,
    }.get(segment, "local")
