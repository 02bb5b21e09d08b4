"""The commands `connections patch` and `connections restore`: their output and the files they change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import command, run

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
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def test_patch_and_restore(say: Callable[..., Any], file: Path) -> None:
    """`patch` prints a line per change without keys, and how to undo it; `restore` restores the files exactly."""
    before, settings = everything(file), file.with_name("local.settings.json")
    status, out, errors = say("connections", "patch", str(file))

    assert (0, "", False) == (status, errors, "secret" in out)
    assert [
        f"{settings}: a: connectionRuntimeUrl: {OLD}{PATH} -> {EMULATOR}{PATH}",
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

    assert (0, 4, "dry run: no file was changed") == (status, len(out.splitlines()), out.splitlines()[-1])
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
    assert {"value": [str(file)]} == json.loads(say("connections", "restore", str(file), "--json")[1])


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
    missing = say("connections", "patch", str(file))
    done = say("connections", "patch", str(file), "--settings", str(other))

    assert (1, "") == missing[:2]
    assert f"but there is no {file.with_name('local.settings.json')}" in missing[2]
    assert (0, True) == (done[0], str(other) in done[1])


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
    """A file that was edited after the patch is neither restored nor patched again without --force."""
    say("connections", "patch", str(file))
    file.write_text(file.read_text() + "\n")
    reason = f"outlook-emulator: {file} was edited after it was patched; --force overwrites it\n"

    assert (1, "", reason) == say("connections", "restore", str(file))
    assert (1, "", reason) == say("connections", "patch", str(file), "--url", "http://other")
    assert [0, 0] == [
        say("connections", *words, "--force")[0]
        for words in (("patch", str(file), "--url", "http://other"), ("restore", str(file)))
    ]


def test_nothing_to_restore(say: Callable[..., Any], file: Path) -> None:
    """Without originals, `restore` fails with the reason."""
    status, out, errors = say("connections", "restore", str(file))

    assert (1, "", True) == (status, out, f"{file} is not patched" in errors)


@pytest.mark.parametrize("arguments", [["patch"], ["restore"], ["restore", "a", "b"], ["mend", "a"], []])
def test_usage_errors(say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing or extra file is a usage error."""
    assert (2, "") == say("connections", *arguments)[:2]


def test_control_characters_are_not_printed(say: Callable[..., Any], file: Path) -> None:
    """Control characters in a file are not printed to the terminal."""
    file.write_text(file.read_text().replace('"b"', '"\\u001b[31m\\ud800"'))
    status, out, _ = say("connections", "patch", str(file), "--dry-run")

    assert (0, False) == (status, "\x1b" in out)
