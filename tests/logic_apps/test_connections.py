"""Patch and restore the connections of a Logic Apps project: changes, errors, and what stays."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.logic_apps import connections
from outlook_emulator.logic_apps.connections import Options
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.key import KEY

EMULATOR = "http://127.0.0.1:4365"
OLD = "https://x.01.common.logic-westus.azure-apihub.net"
PATH = "/apim/outlook/0123456789abcdef"
SETTING, PARAMETER = "@appsetting('outlook-runtimeUrl')", "@parameters('outlook-ConnectionRuntimeUrl')"
KEYED = {"type": "Raw", "scheme": "Key", "parameter": "@appsetting('outlook-connectionKey')"}
RAW = {"type": "Raw", "scheme": "Key", "parameter": KEY}


def entry(url: Any = OLD + PATH, authentication: Any = KEYED, api: str = "outlook") -> dict[str, Any]:
    id = f"/subscriptions/S/providers/Microsoft.Web/locations/westus/managedApis/{api}"
    connection = {
        "api": {"id": id},
        "connection": {"id": "x"},
        "connectionRuntimeUrl": url,
        "authentication": authentication,
    }
    return {name: value for name, value in connection.items() if value is not None}


class Project:
    """A folder with the files of a project, formatted as Visual Studio Code does."""

    def __init__(self, folder: Path, *, values: Any = None, parameters: Any = None, **entries: Any) -> None:
        self.file = folder / "connections.json"
        self.settings = folder / "local.settings.json"
        self.parameters = folder / "parameters.json"
        self._write(self.file, {"managedApiConnections": entries, "serviceProviderConnections": {}})
        if values is not None:
            self._write(self.settings, {"IsEncrypted": False, "Values": values})
        if parameters is not None:
            self._write(self.parameters, parameters)

    def _write(self, path: Path, content: Any) -> None:
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")

    def patch(self, url: str = EMULATOR, **how: Any) -> list[tuple[str, str, str]]:
        """Patch the project and return the changes with their files."""
        edits, _ = connections.patch(self.file, url, Options(**how))
        return [(Path(edit.file).name, edit.before, edit.after) for edit in edits]

    def refused(self, url: str = EMULATOR, **how: Any) -> str:
        """Return the error of a patch, which must not change any file."""
        before = self.everything()
        with pytest.raises(PatchError) as refused:
            connections.patch(self.file, url, Options(**how))
        assert before == self.everything()
        return str(refused.value).replace(f"{self.file.parent}/", "")

    def everything(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.file.parent.iterdir() if path.is_file()}

    def entry(self, name: str = "outlook") -> Any:
        return json.loads(self.file.read_text(encoding="utf-8"))["managedApiConnections"][name]

    def values(self) -> Any:
        return json.loads(self.settings.read_text(encoding="utf-8"))["Values"]


# The URL


@pytest.mark.parametrize("path", ["", "/", PATH, PATH + "/", "/apim/outlook/@{appsetting('id')}?a=b#c", "/é/\ud83d"])
@pytest.mark.parametrize("old", [OLD, "http://localhost:7071", "HTTPS://@{appsetting('host')}"])
@pytest.mark.parametrize("url", [EMULATOR, "https://host.test/", "http://[::1]:80"])
def test_literal_url(tmp_path: Path, path: str, old: str, url: str) -> None:
    """Scheme, host and port become the emulator's, and the rest of the URL stays."""
    project = Project(tmp_path, values={"outlook-connectionKey": KEY, "id": "x"}, outlook=entry(old + path))

    assert [("connections.json", old + path, url.rstrip("/") + path)] == project.patch(url)
    assert entry(url.rstrip("/") + path) == project.entry()


@pytest.mark.parametrize(
    "reference",
    [
        SETTING,
        "@{appsetting('outlook-runtimeUrl')}",
        "@AppSetting( 'outlook-runtimeUrl' )",
        "@appsetting('OUTLOOK-runtimeurl')",
    ],
)
def test_url_in_an_app_setting(tmp_path: Path, reference: str) -> None:
    """A URL in an app setting is changed there, and the connection keeps its reference."""
    values = {"outlook-runtimeUrl": OLD + PATH, "outlook-connectionKey": KEY, "other": "o"}
    project = Project(tmp_path, values=values, outlook=entry(reference))

    assert [("local.settings.json", OLD + PATH, EMULATOR + PATH)] == project.patch()
    assert {**values, "outlook-runtimeUrl": EMULATOR + PATH} == project.values()
    assert entry(reference) == project.entry()


def test_url_in_a_parameter(tmp_path: Path) -> None:
    """A URL in a parameter is changed there."""
    parameters = {"outlook-ConnectionRuntimeUrl": {"type": "String", "value": OLD + PATH}}
    project = Project(tmp_path, parameters=parameters, outlook=entry(PARAMETER, RAW))

    assert [("parameters.json", OLD + PATH, EMULATOR + PATH)] == project.patch()
    parameters["outlook-ConnectionRuntimeUrl"]["value"] = EMULATOR + PATH
    assert parameters == json.loads(project.parameters.read_text())


def test_url_in_an_app_setting_behind_a_parameter(tmp_path: Path) -> None:
    """If a parameter refers to an app setting, the app setting is changed."""
    parameters = {"outlook-ConnectionRuntimeUrl": {"type": "String", "value": "@{appsetting('it''s')}"}}
    project = Project(tmp_path, values={"it's": OLD}, parameters=parameters, outlook=entry(PARAMETER, RAW))

    assert [("local.settings.json", OLD, EMULATOR)] == project.patch()


def test_setting_that_two_connections_share(tmp_path: Path) -> None:
    """An app setting that two connections share is changed once."""
    values = {"outlook-runtimeUrl": OLD, "outlook-connectionKey": KEY}
    project = Project(tmp_path, values=values, a=entry(SETTING), b=entry(SETTING))

    assert [("local.settings.json", OLD, EMULATOR)] == project.patch()


def test_settings_elsewhere(tmp_path: Path) -> None:
    """App settings can be in another file, which is restored with the project."""
    (tmp_path / "app").mkdir()
    project = Project(tmp_path / "app", values={"outlook-runtimeUrl": OLD}, outlook=entry(SETTING, RAW))
    elsewhere = tmp_path / "settings.json"
    elsewhere.write_bytes(project.settings.read_bytes())
    before = elsewhere.read_bytes()
    project.patch(settings=elsewhere)

    assert {"outlook-runtimeUrl": EMULATOR} == json.loads(elsewhere.read_text())["Values"]
    assert {"outlook-runtimeUrl": OLD} == project.values()
    assert [elsewhere] == [file.path for file in connections.restore(project.file)]
    assert before == elsewhere.read_bytes()


# Which connections


def test_only_outlook_connections_change(tmp_path: Path) -> None:
    """Connections of other APIs stay unchanged, whatever their names are."""
    entries = {"outlook": entry(api="office365", authentication={"type": "x"}), "a": entry(OLD, RAW), "b": {}, "c": 1}
    project = Project(tmp_path, **entries)

    assert [("connections.json", OLD, EMULATOR)] == project.patch()
    assert entries["outlook"] == project.entry("outlook")


def test_connection_by_name(tmp_path: Path) -> None:
    """A connection that is selected by name is patched, whatever its API is."""
    project = Project(tmp_path, a=entry(OLD, RAW), b=entry(OLD, RAW, api="office365"))

    assert [("connections.json", OLD, EMULATOR)] == project.patch(connection="b")
    assert (OLD, EMULATOR) == tuple(project.entry(name)["connectionRuntimeUrl"] for name in "ab")


# The credential


@pytest.mark.parametrize(
    "authentication",
    [
        {"type": "ManagedServiceIdentity"},
        {"type": "ManagedServiceIdentity", "identity": "/subscriptions/S/…"},
        {"type": "Basic", "username": "u"},
        {"type": "ActiveDirectoryOAuth", "tenant": "t", "clientId": "c", "secret": "@appsetting('none')"},
        {"type": "Raw", "value": "Bearer x"},
        {"type": "Raw", "scheme": "Basic", "parameter": "k"},
        {"scheme": "Key"},
        {},
        None,
        "none",
        7,
        "@appsetting('authentication')",
    ],
)
def test_authentication_that_does_not_run_locally(tmp_path: Path, authentication: Any) -> None:
    """An authentication that the local runtime rejects is replaced by a key."""
    values = {"authentication": '{"type": "Raw"}'}
    project = Project(tmp_path, values=values, outlook=entry(EMULATOR, authentication))
    ((file, _, after),) = project.patch()

    assert ("connections.json", "Raw", RAW) == (file, after, project.entry()["authentication"])
    assert values == project.values()


@pytest.mark.parametrize(
    "authentication",
    [
        KEYED,
        {"type": "raw", "scheme": "key", "parameter": KEY},
        {"type": "Raw", "scheme": "Bearer", "parameter": KEY},
        {"type": "@appsetting('kind')", "scheme": "Key", "parameter": "@parameters('key')"},
    ],
)
def test_authentication_of_the_emulator(tmp_path: Path, authentication: Any) -> None:
    """An authentication that has the emulator's key already stays unchanged."""
    values = {"outlook-connectionKey": KEY, "kind": "Raw"}
    parameters = {"key": {"value": "@appsetting('outlook-connectionKey')"}}
    project = Project(tmp_path, values=values, parameters=parameters, outlook=entry(EMULATOR, authentication))

    assert [] == project.patch()
    assert {"connections.json", "local.settings.json", "parameters.json"} == project.everything().keys()


def test_authentication_in_a_parameter(tmp_path: Path) -> None:
    """An authentication in a parameter is changed there."""
    parameters = {"auth": {"type": "Object", "value": {"type": "ManagedServiceIdentity"}}}
    project = Project(tmp_path, parameters=parameters, outlook=entry(EMULATOR, "@parameters('auth')"))

    assert [("parameters.json", "ManagedServiceIdentity", "Raw")] == project.patch()
    assert {"auth": {"type": "Object", "value": RAW}} == json.loads(project.parameters.read_text())


@pytest.mark.parametrize(
    "values",
    [{}, {"outlook-connectionKey": ""}, {"a": "b"}, {"outlook-connectionKey": None}, {"outlook-connectionKey": "real"}],
)
def test_key_in_the_settings(tmp_path: Path, values: Any) -> None:
    """An app setting for a key gets the emulator's key; a real one never reaches the emulator."""
    project = Project(tmp_path, values=values, outlook=entry(EMULATOR))
    before = project.everything()
    ((file, was, after),) = project.patch()

    assert ("local.settings.json", "the emulator's key") == (file, after)
    assert ("real" in values.values()) == (was == "a key")
    assert {**values, "outlook-connectionKey": KEY} == project.values()
    assert entry(EMULATOR) == project.entry()
    connections.restore(project.file)
    assert before == project.everything()


@pytest.mark.parametrize(
    "authentication",
    [{"type": "Raw", "scheme": "Key"}, {**RAW, "parameter": ""}, {**RAW, "parameter": "@parameters('k')"}],
)
def test_key_in_the_connection(tmp_path: Path, authentication: Any) -> None:
    """Without a reference to an app setting, the key is written to the connection itself."""
    project = Project(tmp_path, outlook=entry(EMULATOR, authentication))

    assert ["connections.json"] == [file for file, _, _ in project.patch()]
    assert RAW == project.entry()["authentication"]


def test_chosen_key(tmp_path: Path) -> None:
    """The key can be chosen, for an emulator that requires one."""
    project = Project(tmp_path, values={"outlook-connectionKey": "k"}, outlook=entry(EMULATOR))
    project.patch(key="mine")

    assert {"outlook-connectionKey": "mine"} == project.values()


@pytest.mark.parametrize("values", [{}, {"outlook-connectionKey": "expired"}, {"Outlook-ConnectionKey": KEY}])
def test_key_for_the_designer(tmp_path: Path, values: dict[str, str]) -> None:
    """The designer finds a key that has not expired under the name that it looks for, in exactly this case."""
    connection = entry(EMULATOR, RAW) | {"connection": {"id": "/subscriptions/S/x/connections/outlook"}}
    project = Project(tmp_path, values=values, outlook=connection)
    before = project.everything()

    assert ["local.settings.json"] == [file for file, _, _ in project.patch()]
    assert {**values, "outlook-connectionKey": KEY} == project.values()
    assert [] == project.patch()
    connections.restore(project.file)
    assert before == project.everything()


def test_key_is_a_token_with_a_far_expiry() -> None:
    """The key reads as the designer reads it: three parts, the second one JSON with an expiry in this century."""
    _, payload, _ = KEY.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert datetime(2100, 1, 1, tzinfo=UTC).timestamp() == claims["exp"]


def test_keys_are_not_reported(tmp_path: Path) -> None:
    """The reported changes contain no key."""
    authentication = {"type": "ManagedServiceIdentity", "parameter": "very secret"}
    project = Project(tmp_path, outlook=entry(OLD, authentication))

    assert "secret" not in str(project.patch())


# What stays

MIXED = """\ufeff{\r
\t// comments, a byte order mark and mixed ends of lines stay\r
  "managedApiConnections" : { /* here, too */
    "outlook": {
        "api": {"id": "/x/managedApis/outlook"},\t
        "connectionRuntimeUrl": "https:\\/\\/old.test\\/apim\\/outlook\\/1",
        "authentication": {
            "type": "ManagedServiceIdentity" // on Azure
        },
    },
  },
  "é": "\\u00e9", "number": 1.50e+1
}
 """
PATCHED = """\ufeff{\r
\t// comments, a byte order mark and mixed ends of lines stay\r
  "managedApiConnections" : { /* here, too */
    "outlook": {
        "api": {"id": "/x/managedApis/outlook"},\t
        "connectionRuntimeUrl": "http://127.0.0.1:4365/apim/outlook/1",
        "authentication": {
            "type": "Raw",
            "scheme": "Key",
            "parameter": "KEY"
        },
    },
  },
  "é": "\\u00e9", "number": 1.50e+1
}
 """.replace("KEY", KEY)


def test_everything_else_stays(tmp_path: Path) -> None:
    """All bytes outside the changed values stay, and a restore is exact."""
    file = tmp_path / "connections.json"
    file.write_bytes(MIXED.encode())
    connections.patch(file, EMULATOR)
    patched = file.read_bytes()
    connections.restore(file)

    assert (PATCHED.encode(), MIXED.encode()) == (patched, file.read_bytes())
    assert [file] == list(tmp_path.iterdir())


def test_patched_twice(tmp_path: Path) -> None:
    """After several patches, a restore returns the first originals."""
    project = Project(tmp_path, values={"outlook-runtimeUrl": OLD}, outlook=entry(SETTING))
    before = project.everything()
    first, same, other = project.patch(), project.patch(), project.patch("http://other.test")
    connections.restore(project.file)

    assert (2, [], [("local.settings.json", EMULATOR, "http://other.test")]) == (len(first), same, other)
    assert before == project.everything()


def test_edited_file(tmp_path: Path) -> None:
    """A file that was edited after the patch can be patched again, and a restore keeps the edits."""
    project = Project(tmp_path, outlook=entry(OLD, RAW))
    before = project.file.read_text()
    project.patch()
    project.file.write_text(project.file.read_text().replace("locations/westus", "locations/eastus"))

    assert [("connections.json", EMULATOR, "http://other.test")] == project.patch("http://other.test")
    assert [(project.file, False)] == connections.restore(project.file)
    assert before.replace("locations/westus", "locations/eastus") == project.file.read_text()


def test_edited_and_reformatted_file(tmp_path: Path) -> None:
    """After an editor wrote the file anew with another connection, a restore puts only the patched values back."""
    project = Project(tmp_path, outlook=entry(OLD, {"type": "ManagedServiceIdentity"}))
    project.patch()
    content = json.loads(project.file.read_text())
    content["managedApiConnections"]["more"] = entry(api="office365")
    project.file.write_text(json.dumps(content, indent=4))

    assert [(project.file, True)] == connections.restore(project.file)
    identity = entry(OLD, {"type": "ManagedServiceIdentity"})
    assert {"outlook": identity, "more": entry(api="office365")} == json.loads(project.file.read_text())[
        "managedApiConnections"
    ]


def test_edited_value(tmp_path: Path) -> None:
    """If a patched value itself was edited, a restore is refused, and with force it returns the original."""
    project = Project(tmp_path, outlook=entry(OLD, RAW))
    before = project.everything()
    project.patch()
    project.file.write_text(project.file.read_text().replace(EMULATOR, "http://mine"))
    refused = r"edited \(managedApiConnections\.outlook\.connectionRuntimeUrl\) after it was patched; --force restores"

    with pytest.raises(PatchError, match=refused):
        connections.restore(project.file)
    assert [(project.file, False)] == connections.restore(project.file, force=True)
    assert before == project.everything()


def test_symbolic_link(tmp_path: Path) -> None:
    """A symbolic link stays a link, and its target is changed."""
    (tmp_path / "real").mkdir()
    project = Project(tmp_path / "real", outlook=entry(OLD, RAW))
    link = tmp_path / "connections.json"
    link.symlink_to(project.file)
    connections.patch(link, EMULATOR)

    assert (True, EMULATOR) == (link.is_symlink(), project.entry()["connectionRuntimeUrl"])
    assert [project.file] == [file.path for file in connections.restore(link)]


# Errors

ADD = "`outlook-emulator connections add --project FILE` adds one"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "connections.json is not valid JSON: expected a value at line 1, column 1"),
        (b'{"managedApiConnections": {', "connections.json is not valid JSON: expected a string at line 1, column 28"),
        (b'{"a": "\xff"}', "connections.json is not written in UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "connections.json is not written in UTF-8"),
        (b"[]", "connections.json is not a connections.json: it has no managedApiConnections"),
        (b'{"Values": {}}', "connections.json is not a connections.json: it has no managedApiConnections"),
        (
            b'{"managedApiConnections": 1}',
            "connections.json is not a connections.json: it has no managedApiConnections",
        ),
        (
            b'{"managedApiConnections": {}}',
            f"connections.json has no connection of the API outlook; it has: none. {ADD}",
        ),
        (
            b'{"managedApiConnections": {"a": {"api": {"id": "/x/managedApis/office365"}}, "b": 3}}',
            f"connections.json has no connection of the API outlook; it has: a (office365), b (no API). {ADD}",
        ),
    ],
)
def test_invalid_file(tmp_path: Path, content: bytes, expected: str) -> None:
    """A file that is not a connections.json, or has no connection of the connector, is rejected with the reason."""
    project = Project(tmp_path)
    project.file.write_bytes(content)

    assert expected == project.refused()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:1",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://h:x",
        "http://h/x",
        "http://h?a",
        "http://u@h",
        "http://a b",
    ],
)
def test_invalid_url(tmp_path: Path, url: str) -> None:
    """A URL that is not an http(s) URL of a host and a port is rejected."""
    project = Project(tmp_path, outlook=entry(OLD, RAW))

    assert f"'{url}' is not the http(s) URL of an emulator, such as http://127.0.0.1:4365" == project.refused(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (7, "not a text"),
        ("/apim/outlook/x", "'/apim/outlook/x'"),
        ("ftp://h/x", "'ftp://h/x'"),
        ("@concat('https://h', '/x')", "'@concat('https://h', '/x')'"),
        (SETTING, "'nowhere'"),
        (PARAMETER, "not a text"),
    ],
)
def test_invalid_runtime_url(tmp_path: Path, url: Any, shown: str) -> None:
    """A connection with an invalid runtime URL is rejected, also if the URL is in a setting or a parameter."""
    parameters = {"outlook-ConnectionRuntimeUrl": {"value": 3}}
    project = Project(
        tmp_path, values={"outlook-runtimeUrl": "nowhere"}, parameters=parameters, outlook=entry(url, RAW)
    )
    wanted = "must be an http(s) URL, @appsetting('…') or @parameters('…')"

    assert f"outlook: connectionRuntimeUrl {wanted}, but is {shown}" == project.refused()


def test_circular_reference(tmp_path: Path) -> None:
    """A parameter that refers to itself is rejected."""
    parameters = {"outlook-ConnectionRuntimeUrl": {"value": PARAMETER}}
    project = Project(tmp_path, parameters=parameters, outlook=entry(PARAMETER, RAW))

    assert f"parameters.json: {PARAMETER} refers to itself" == project.refused()


def test_other_errors(tmp_path: Path) -> None:
    """Unknown connections, encrypted settings and unreadable files are rejected."""
    project = Project(tmp_path, values={}, a=entry(SETTING), b=entry(api="office365"))
    known = "connections.json has no connection 'c'; it has: a, b"
    assert known == project.refused(connection="c")
    assert "cannot read none.json: No such file or directory" == project.refused(settings=tmp_path / "none.json")
    assert "connections.json is the connections.json itself" == project.refused(settings=project.file)
    project.settings.write_text('{"IsEncrypted": true, "Values": {"outlook-runtimeUrl": "x"}}')
    hint = "the values of local.settings.json are encrypted; `func settings decrypt` decrypts them"
    assert hint == project.refused()
    project.settings.write_text('{"Values": 3}')
    wrong = "local.settings.json is not a file of app settings: its Values is not an object"
    assert wrong == project.refused()
    project.settings.write_text("{")
    assert "local.settings.json is not valid JSON: expected a string at line 1, column 2" == project.refused()
    project.file.unlink()
    assert "cannot read connections.json: No such file or directory" == project.refused()


def test_all_or_none(tmp_path: Path) -> None:
    """If one connection cannot be patched, none is changed."""
    project = Project(tmp_path, a=entry(OLD, RAW), b=entry("nowhere", RAW))

    assert project.refused().startswith("b: connectionRuntimeUrl must be")


def test_restore_without_a_patch(tmp_path: Path) -> None:
    """A restore without originals fails with the reason."""
    project = Project(tmp_path, outlook=entry())

    with pytest.raises(PatchError, match="is not patched, or its backup is gone"):
        connections.restore(project.file)


def test_reports(tmp_path: Path) -> None:
    """A patch and a restore report how many files are read and written."""
    Project(tmp_path, outlook=entry())
    send = {"type": "ApiConnection", "inputs": {"host": {"connection": {"referenceName": "outlook"}}}}
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "workflow.json").write_text(json.dumps({"definition": {"actions": {"Send": send}}}), "utf-8")
    reports: list[tuple[str, int, int]] = []

    connections.patch(tmp_path, EMULATOR, Options(no_retries=True), lambda *report: reports.append(report))
    assert [("reading workflows", 0, 2), ("reading workflows", 1, 2)] == reports[:2]
    what, done, total = reports[-1]
    assert ("writing", total) == (what, done + 1)

    reports.clear()
    connections.restore(tmp_path, report=lambda *report: reports.append(report))
    # At least the connections and two workflows, besides what was kept of them.
    assert len([what for what, _, _ in reports if what == "writing"]) > 3
