"""The commands `connections patch`, `status`, `restore` and `add --project`: their output and the files they change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_emulator.logic_apps.key import KEY
from tests.cli.commands import command, run
from tests.conftest import Sandbox
from tests.stub import Stub

OLD, PATH = "https://x.azure-apihub.net", "/apim/outlook/0123"
EMULATOR = "http://127.0.0.1:4365"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A connections.json with a connection by key and one by managed identity, with its settings beside it."""
    api = {"id": "/subscriptions/S/providers/Microsoft.Web/locations/westus/managedApis/outlook"}
    keyed = {"type": "Raw", "scheme": "Key", "parameter": "@appsetting('key')"}
    identity = {"type": "ManagedServiceIdentity"}
    entries = {
        "a": {"api": api, "connectionRuntimeUrl": "@appsetting('url')", "authentication": keyed},
        "b": {"api": api, "connectionRuntimeUrl": OLD + PATH, "authentication": identity},
    }
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"url": OLD + PATH, "key": "very secret"}}))
    path = tmp_path / "connections.json"
    path.write_text(json.dumps({"managedApiConnections": entries}, indent=2))
    return path


def everything(file: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}


def test_patch_and_restore(say: Callable[..., Any], file: Path) -> None:
    """`patch` prints a line per change without keys, and how to undo it; `restore` restores the files exactly."""
    before, settings = everything(file), file.with_name("local.settings.json")
    status, out, errors = say("connections", "patch", str(file))

    assert (0, "", False) == (status, errors, "secret" in out)
    assert [
        f"{settings}: a: connectionRuntimeUrl: {OLD}{PATH} -> {EMULATOR}{PATH}",
        f"{settings}: a: authentication.parameter: a key -> the emulator's key",
        f"{file}: b: connectionRuntimeUrl: {OLD}{PATH} -> {EMULATOR}{PATH}",
        f"{file}: b: authentication: ManagedServiceIdentity -> Raw",
        f"`outlook-emulator connections restore {file}` undoes this",
    ] == out.splitlines()
    assert (0, f"{file} points at {EMULATOR} already\n", "") == say("connections", "patch", str(file))
    back = say("connections", "restore", str(file))
    assert (0, {f"restored {file}", f"restored {settings}"}, "") == (back[0], set(back[1].splitlines()), back[2])
    assert before == everything(file)


def test_dry_run(say: Callable[..., Any], file: Path) -> None:
    """--dry-run prints the changes and changes nothing."""
    before = everything(file)
    status, out, _ = say("connections", "patch", str(file), "--dry-run")

    assert (0, 5, "dry run: no file was changed") == (status, len(out.splitlines()), out.splitlines()[-1])
    assert before == everything(file)


def test_json(say: Callable[..., Any], file: Path) -> None:
    """--json prints the same changes as JSON."""
    asked = ("connections", "patch", str(file), "--connection", "b", "--url", "https://other.test", "--json")
    dry, done = (json.loads(say(*asked, *more)[1]) for more in (["--dry-run"], []))
    edit = {
        "file": str(file),
        "what": "b: connectionRuntimeUrl",
        "before": OLD + PATH,
        "after": f"https://other.test{PATH}",
    }

    assert (True, False, done["value"]) == (dry["dryRun"], done["dryRun"], dry["value"])
    assert (edit, 2) == (done["value"][0], len(done["value"]))
    assert {"value": [{"file": str(file), "keepsEdits": False}]} == json.loads(
        say("connections", "restore", str(file), "--json")[1]
    )


def test_emulator_of_the_environment(say: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --url, the environment names the emulator, as under `exec`."""
    monkeypatch.setenv("OUTLOOK_EMULATOR_URL", "http://there:1")

    assert f"-> http://there:1{PATH}" in say("connections", "patch", str(file))[1]


@pytest.mark.slow
def test_under_exec(file: Path) -> None:
    """Under `exec`, the files are patched to the URL of its emulator."""
    done = run("exec", "--", *command("connections", "patch", str(file)))
    url = json.loads(file.read_text())["managedApiConnections"]["b"]["connectionRuntimeUrl"]

    assert (0, "") == (done.returncode, done.stderr)
    assert f"-> {url}\n" in done.stdout


def test_settings(say: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    """--settings names another file with app settings."""
    other = tmp_path / "other.json"
    file.with_name("local.settings.json").rename(other)

    assert (1, "", "outlook-emulator: cannot read none.json: No such file or directory\n") == say(
        "connections", "patch", str(file), "--settings", "none.json"
    )
    status, out, _ = say("connections", "patch", str(file), "--settings", str(other))
    assert (0, True) == (status, f"{other}: a: connectionRuntimeUrl" in out)
    assert 0 == say("connections", "status", str(file), "--settings", str(other))[0]


def test_without_settings(say: Callable[..., Any], file: Path) -> None:
    """Without local.settings.json, as in CI, it is made with what is missing, and removed by a restore."""
    settings = file.with_name("local.settings.json")
    settings.unlink()
    before = everything(file)

    assert (
        f"{settings}: a: connectionRuntimeUrl: missing -> {EMULATOR}/apim/outlook/a"
        in say("connections", "patch", str(file))[1]
    )
    values = json.loads(settings.read_text())["Values"]
    assert (f"{EMULATOR}/apim/outlook/a", KEY, "node") == (
        values["url"],
        values["key"],
        values["FUNCTIONS_WORKER_RUNTIME"],
    )
    assert 0 == say("connections", "status", str(file))[0]
    assert 0 == say("connections", "restore", str(file))[0]
    assert before == everything(file)


def test_folder_of_the_project(say: Callable[..., Any], file: Path) -> None:
    """Each command takes the folder of the project as well."""
    for action in ("patch", "status", "restore"):
        assert 0 == say("connections", action, str(file.parent))[0]


@pytest.mark.parametrize(
    ("environment", "arguments", "expected"),
    [("", [], KEY), ("any", [], KEY), ("secret", [], "secret"), ("secret", ["--key", "mine"], "mine")],
)
def test_key(
    say: Callable[..., Any],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    arguments: list[str],
    expected: str,
) -> None:
    """--key chooses the key, and under `exec --authorization` the environment does."""
    monkeypatch.setenv("OUTLOOK_EMULATOR_AUTHORIZATION", environment)
    say("connections", "patch", str(file), *arguments)

    assert expected == json.loads(file.with_name("local.settings.json").read_text())["Values"]["key"]
    assert expected == json.loads(file.read_text())["managedApiConnections"]["b"]["authentication"]["parameter"]


@pytest.mark.parametrize(
    ("current", "port", "arguments", "expected"),
    [
        (None, None, [], None),
        ("", None, [], ""),
        ("http://localhost:7072", None, [], "http://localhost:7072"),
        ("https://abc.ngrok.io", None, [], "http://localhost:7071"),
        ("https://abc.ngrok.io/", 8080, [], "http://localhost:8080"),
        ("https://localhost.ngrok.io", None, [], "http://localhost:7071"),
        (None, None, ["--webhook-host", "http://workflows:80"], "http://workflows:80"),
        ("https://abc.ngrok.io", None, ["--webhook-host", "http://workflows:80/"], "http://workflows:80"),
    ],
)
def test_webhook_host(
    say: Callable[..., Any],
    file: Path,
    current: str | None,
    port: int | None,
    arguments: list[str],
    expected: str | None,
) -> None:
    """Callbacks do not go through a tunnel from the Internet, but to this machine or the host of the option."""
    name, settings = "Workflows.WebhookRedirectHostUri", file.with_name("local.settings.json")
    content = json.loads(settings.read_text())
    content["Values"] |= {} if current is None else {name: current}
    content |= {} if port is None else {"Host": {"LocalHttpPort": port}}
    settings.write_text(json.dumps(content))
    before = everything(file)
    say("connections", "patch", str(file), *arguments)

    assert expected == json.loads(settings.read_text())["Values"].get(name)
    say("connections", "restore", str(file))
    assert before == everything(file)


OPERATION = {"host": {"connection": {"referenceName": "a"}}, "method": "post", "path": "/v2/Mail"}


def test_no_retries(say: Callable[..., Any], file: Path) -> None:
    """--no-retries switches off the retries of all operations of the connections, also of nested ones."""
    exponential = {"type": "exponential", "count": 4, "interval": "PT7S"}
    actions = {
        "Send": {"type": "ApiConnection", "inputs": OPERATION},
        "Scope": {
            "type": "If",
            "actions": {"Ask": {"type": "ApiConnectionWebhook", "inputs": {**OPERATION, "retryPolicy": exponential}}},
            "else": {"actions": {"Other": {"type": "ApiConnection", "inputs": {**OPERATION, "host": {}}}}},
        },
        "Quiet": {"type": "ApiConnection", "inputs": {**OPERATION, "retryPolicy": {"type": "none"}}},
        "Http": {"type": "Http", "inputs": {"retryPolicy": exponential}},
    }
    triggers = {"Mail": {"type": "ApiConnectionNotification", "inputs": OPERATION}}
    workflow = file.parent / "Flow" / "workflow.json"
    workflow.parent.mkdir()
    workflow.write_text(json.dumps({"definition": {"actions": actions, "triggers": triggers}, "kind": "Stateful"}))
    before = everything(file)
    out = say("connections", "patch", str(file), "--no-retries")[1]

    changed = json.loads(workflow.read_text())["definition"]
    assert "Flow/workflow.json: Ask: retryPolicy: exponential -> none" in out
    none = {"type": "none"}
    scope = changed["actions"]["Scope"]
    assert [none, none, none] == [
        operation["inputs"]["retryPolicy"]
        for operation in (changed["actions"]["Send"], scope["actions"]["Ask"], changed["triggers"]["Mail"])
    ]
    assert (actions["Scope"]["else"], actions["Http"]) == (scope["else"], changed["actions"]["Http"])
    say("connections", "restore", str(file))
    assert before == everything(file)


# Status


def test_status(say: Callable[..., Any], file: Path) -> None:
    """`status` shows where each connection points; its exit code says whether all of them call the emulator."""
    old = f"points not at {EMULATOR}: {OLD}{PATH}, authentication"
    assert (1, f"a: {old} Raw\nb: {old} ManagedServiceIdentity\nnot patched\n", "") == say(
        "connections", "status", str(file)
    )
    say("connections", "patch", str(file), "--connection", "a")
    here = f"points here: {EMULATOR}{PATH}, authentication Raw"
    undo = f"`outlook-emulator connections restore {file}` undoes this"
    lines = f"a: {here}\nb: {old} ManagedServiceIdentity\npatched; {undo}\n"
    assert (1, lines, "") == say("connections", "status", str(file))
    say("connections", "patch", str(file))
    assert (0, f"a: {here}\nb: {here}\npatched; {undo}\n", "") == say("connections", "status", str(file))
    assert 1 == say("connections", "status", str(file), "--url", "http://other")[0]
    file.write_text(file.read_text() + "\n")
    assert f"patched, and edited since: {file}; {undo}\n" in say("connections", "status", str(file))[1]


def test_status_as_json(say: Callable[..., Any], file: Path) -> None:
    """--json prints the same as JSON."""
    say("connections", "patch", str(file))
    file.write_text(file.read_text() + "\n")
    status, out, _ = say("connections", "status", str(file), "--json")
    connection = {"url": EMULATOR + PATH, "authentication": "Raw", "pointsHere": True}

    assert 0 == status
    assert {
        "pointsHere": True,
        "patched": True,
        "edited": [str(file)],
        "connections": [{"name": name, **connection} for name in "ab"],
    } == json.loads(out)


def test_status_without_a_connection(say: Callable[..., Any], file: Path) -> None:
    """A project without a connection of the connector does not point at the emulator."""
    file.write_text('{"managedApiConnections": {}}')

    assert (1, f"{file} has no connection of the API outlook\nnot patched\n", "") == say(
        "connections", "status", str(file)
    )


# A project without a connection


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        " \n",
        "{}",
        '{"managedApiConnections": {}}',
        '{\r\n\t"serviceProviderConnections": {},\r\n\t"managedApiConnections": {}\r\n}',
        '{\n    "managedApiConnections": {\n        "teams": {"api": {"id": "/x/managedApis/teams"}}\n    }\n}\n',
    ],
)
def test_add_to_a_project(sandbox: Sandbox, say: Callable[..., Any], tmp_path: Path, content: str | None) -> None:
    """`add --project` adds a connection that works; `status` says so, and a restore removes it."""
    file = tmp_path / "connections.json"
    if content is not None:
        file.write_bytes(content.encode())
    before = everything(file)
    id = f"{sandbox.name}-p"
    where = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    status, out, errors = say("connections", "add", id, "--project", str(file), *where)
    runtime_url = f"{sandbox.server.url}/apim/outlook/{id}"

    assert (0, "") == (status, errors)
    assert [f"{id}  {id}@outlook.com  {runtime_url}", f"{file}: outlook: missing -> {runtime_url}"] == out.splitlines()
    entries = json.loads(file.read_text())["managedApiConnections"]
    assert runtime_url == entries["outlook"]["connectionRuntimeUrl"]
    key = entries["outlook"]["authentication"]["parameter"]
    assert 200 == httpx.get(f"{runtime_url}/v2/Mail", headers={"Authorization": f"Key {key}"}).status_code
    assert ("teams" in entries) == ("teams" in (content or ""))
    assert 0 == say("connections", "status", str(file), "--url", sandbox.server.url)[0]
    assert 0 == say("connections", "restore", str(file))[0]
    assert before == everything(file)


def test_add_keeps_the_layout(sandbox: Sandbox, say: Callable[..., Any], tmp_path: Path) -> None:
    """The new connection has the layout of the file."""
    file = tmp_path / "connections.json"
    file.write_bytes(b'{\r\n    "managedApiConnections": {}\r\n}\r\n')
    where = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    say("connections", "add", f"{sandbox.name}-q", "--project", str(file), "--name", "mail", *where)

    assert 0 == file.read_bytes().replace(b"\r\n", b"").count(b"\n")
    content = json.loads(file.read_text())
    assert json.dumps(content, indent=4) + "\n" == file.read_text()
    assert ["mail"] == list(content["managedApiConnections"])


def test_add_twice_to_a_project(stub: Stub, say: Callable[..., Any], file: Path) -> None:
    """A name that the project has already is refused before the emulator is called."""
    before = everything(file)
    status, out, errors = say("connections", "add", "--project", str(file), "--name", "a", "--url", stub.url)

    assert (1, "") == (status, out)
    assert f"outlook-emulator: {file} has a connection 'a' already; --name chooses another name\n" == errors
    assert ([], before) == (stub.requests, everything(file))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_invalid_patch(say: Callable[..., Any], file: Path, more: list[str]) -> None:
    """An invalid patch gives one line of error and changes nothing, also with --dry-run."""
    before = everything(file)
    for arguments, expected in (
        (["--connection", "c"], f"{file} has no connection 'c'; it has: a, b"),
        (["--url", "ftp://x"], "'ftp://x' is not the http(s) URL of an emulator, such as http://127.0.0.1:4365"),
        (["--settings", str(file)], f"{file} is the connections.json itself"),
    ):
        refused = say("connections", "patch", str(file), *arguments, *more)
        assert (1, "", f"outlook-emulator: {expected}\n") == refused
    assert before == everything(file)


def test_edited_file(say: Callable[..., Any], file: Path) -> None:
    """A file that was edited after the patch is patched again, and keeps its edits when it is restored."""
    say("connections", "patch", str(file))
    file.write_text(file.read_text() + "\n")
    before = file.read_text()

    assert 0 == say("connections", "patch", str(file), "--url", "http://other")[0]
    assert before.replace(EMULATOR, "http://other") == file.read_text()
    file.write_text(file.read_text() + "\n")
    out = say("connections", "restore", str(file))[1]
    assert f"restored {file}, with the edits made since\n" in out


def test_edited_value(say: Callable[..., Any], file: Path) -> None:
    """A file whose patched value was edited is restored with --force only."""
    before = everything(file)
    say("connections", "patch", str(file))
    file.write_text(file.read_text().replace(EMULATOR, "http://mine"))
    status, out, errors = say("connections", "restore", str(file))

    assert (1, "", True) == (status, out, "was edited (managedApiConnections.b.connectionRuntimeUrl)" in errors)
    assert 0 == say("connections", "restore", str(file), "--force")[0]
    assert before == everything(file)


def test_nothing_to_restore(say: Callable[..., Any], file: Path) -> None:
    """Without originals, `restore` fails with the reason."""
    status, out, errors = say("connections", "restore", str(file))

    assert (1, "", True) == (status, out, f"{file} is not patched" in errors)


@pytest.mark.parametrize("arguments", [["patch"], ["status"], ["restore"], ["restore", "a", "b"], ["mend", "a"], []])
def test_usage_errors(say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing or extra file is a usage error."""
    assert (2, "") == say("connections", *arguments)[:2]


def test_control_characters_are_not_printed(say: Callable[..., Any], file: Path) -> None:
    """Control characters in a file are not printed to the terminal."""
    file.write_text(file.read_text().replace('"b"', '"\\u001b[31m\\ud800"'))
    status, out, _ = say("connections", "patch", str(file), "--dry-run")

    assert (0, False) == (status, "\x1b" in out)
