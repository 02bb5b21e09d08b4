"""The commands `sandbox`, `seed` and `reset`: worlds made, filled, carried elsewhere, started over and ended."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.cli.commands import failure, run
from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

pytestmark = pytest.mark.slow

FACTS = {"name": "t 1", "connections": ["a", "b"]}


def test_seed_and_reset(url: str) -> None:
    """A sample is loaded under the id asked for, and is still there, fresh, after a reset."""
    httpx.post(f"{url}/_emulator/api/sandboxes", json={"name": "one"}).raise_for_status()
    seeded = run("seed", "office", "--connection", "mine", "--sandbox", "one", "--url", url, "--json")
    reset = run("reset", "--sandbox", "one", "--url", url, "--json")

    assert (0, "mine", "ada@example.com") == (
        seeded.returncode,
        json.loads(seeded.stdout)["id"],
        json.loads(seeded.stdout)["address"],
    )
    assert (0, {"name": "one", "connections": ["mine"]}) == (reset.returncode, json.loads(reset.stdout))


def test_seed_defaults(url: str) -> None:
    """Without more words a sample goes to the default sandbox under its own name, once."""
    first, second = (run("seed", "empty", "--url", url) for _ in range(2))

    assert (0, f"empty  quiet@example.com  {url}/apim/outlook/empty\n") == (first.returncode, first.stdout)
    assert failure(second) == "The connection 'empty' exists already."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed", "nothing"], "There is no sample mailbox 'nothing'. Available: archive, empty, office."),
        (["seed", "office", "--sandbox", "none"], "No sandbox 'none' exists."),
        (["reset", "--sandbox", "none"], "No sandbox 'none' exists."),
        (["reset", "--sandbox", "no such one"], "No sandbox 'no such one' exists."),
        (["sandbox", "show", "none"], "No sandbox 'none' exists."),
        (["sandbox", "delete", "none"], "No sandbox 'none' exists."),
        (["sandbox", "create", "default"], "'default'"),
        (["sandbox", "create", "t", "--connection", "a=nobody"], "One or more recipients are invalid. (address)"),
    ],
)
def test_refused(server: Server, say: Callable[..., Any], arguments: list[str], expected: str) -> None:
    """What the server refuses fails with 1 and the server's own words."""
    status, out, errors = say(*arguments, "--url", server.url)

    assert (1, "") == (status, out)
    assert errors.startswith("outlook-emulator: ")
    assert expected in errors


def test_a_sandboxs_life(server: Server, say: Callable[..., Any]) -> None:
    """A sandbox is made with connections and samples, listed, shown, started over and deleted."""
    asked = ("--url", server.url)
    more = ("--connection", "life-a", "--connection", "life-b=b@example.com", "--seed", "empty")
    line = "sandbox life with connections: life-a, life-b, life-empty\n"

    assert (0, line, "") == say("sandbox", "create", "life", *more, *asked)
    assert (0, line, "") == say("sandbox", "show", "life", *asked)
    assert (0, line, "") == say("reset", "--sandbox", "life", *asked)
    assert [["NAME", "CONNECTIONS"], ["life", "life-a,", "life-b,", "life-empty"]] == [
        line.split() for line in say("sandbox", "list", *asked)[1].splitlines() if line.startswith(("NAME", "life "))
    ]
    assert (0, "deleted sandbox life\n", "") == say("sandbox", "delete", "life", *asked)
    assert 1 == say("sandbox", "show", "life", *asked)[0]


def test_show_is_about_the_default_sandbox(server: Server, say: Callable[..., Any]) -> None:
    """Without a name the default sandbox is shown; deleting and making one needs its name."""
    assert say("sandbox", "show", "--url", server.url)[1].startswith("sandbox default with connections: ")
    assert [2, 2] == [say("sandbox", action, "--url", server.url)[0] for action in ("delete", "create")]


def test_json_is_the_apis(server: Server, sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """With --json the answer is printed as it came, and nothing where there is none."""
    shown = say("sandbox", "show", sandbox.name, "--json", "--url", server.url)
    expected = server.http.get(f"/_emulator/api/sandboxes/{sandbox.name}").text
    say("sandbox", "create", "brief", "--url", server.url)

    assert (0, f"{expected}\n", "") == shown
    assert (0, "", "") == say("sandbox", "delete", "brief", "--json", "--url", server.url)


def test_export(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """The sandbox is written to the file as the server sent it."""
    stub.body = b"SQLite format 3\0\xff"
    file = tmp_path / "t.sqlite"

    assert (0, f"wrote sandbox t 1 to {file} (17 bytes)\n", "") == say(
        "sandbox", "export", str(file), "--sandbox", "t 1", "--url", stub.url
    )
    assert stub.body == file.read_bytes()
    assert "GET /_emulator/api/sandboxes/t%201/export" == stub.last().line


def test_export_to_standard_output(stub: Stub, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A dash stands for standard output, where nothing else is said then."""
    from outlook_emulator.cli import main

    stub.body = b"SQLite format 3\0\xff"

    assert 0 == main(["sandbox", "export", "-", "--url", stub.url])
    assert (stub.body, b"") == capfdbinary.readouterr()


def test_export_in_vain(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """A file that cannot be written is named; where the server refuses, no file is made."""
    file = tmp_path / "no such folder" / "t.sqlite"
    lost = say("sandbox", "export", str(file), "--url", stub.url)
    stub.status, stub.body = 404, {"status": 404, "message": "No sandbox 'x' exists.\r\nclientRequestId: 1"}
    refused = say("sandbox", "export", str(tmp_path / "x"), "--sandbox", "x", "--url", stub.url)

    assert (1, "", f"outlook-emulator: cannot write {file}: No such file or directory\n") == lost
    assert (1, "", "outlook-emulator: No sandbox 'x' exists.\n") == refused
    assert [] == list(tmp_path.iterdir())


def test_import(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """The file's bytes are sent as what they are."""
    stub.body, file = FACTS, tmp_path / "t.sqlite"
    file.write_bytes(b"SQLite format 3\0\xff")
    done = say("sandbox", "import", str(file), "--sandbox", "t 1", "--url", stub.url)
    asked = stub.last()

    assert (0, "sandbox t 1 with connections: a, b\n", "") == done
    assert ("POST /_emulator/api/sandboxes/t%201/import", file.read_bytes()) == (asked.line, asked.body)
    assert "application/vnd.sqlite3" == asked.headers["content-type"]


def test_import_from_standard_input(
    stub: Stub, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A dash stands for standard input; a file that is not there is named, and nothing is asked."""
    stub.body = FACTS
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"bytes")))
    say("sandbox", "import", "-", "--url", stub.url)
    missing = say("sandbox", "import", str(tmp_path / "none"), "--url", stub.url)

    assert [b"bytes"] == [request.body for request in stub.requests]
    assert (1, f"outlook-emulator: cannot read {tmp_path / 'none'}: No such file or directory\n") == missing[::2]


def test_a_copy_beside_the_original(server: Server, say: Callable[..., Any], tmp_path: Path) -> None:
    """What one sandbox was is brought into another, whose connection ids begin with something of their own."""
    file, url = tmp_path / "t.sqlite", ("--url", server.url)
    say("sandbox", "create", "first", "--connection", "first-ann", *url)
    say("sandbox", "create", "second", *url)
    say("sandbox", "export", str(file), "--sandbox", "first", *url)
    done = say("sandbox", "import", str(file), "--sandbox", "second", "--connection-prefix", "copy-", *url)
    for name in ("first", "second"):
        say("sandbox", "delete", name, *url)

    assert (0, "sandbox second with connections: copy-first-ann\n", "") == done


def test_a_clock_that_stands(server: Server, say: Callable[..., Any]) -> None:
    """A sandbox can begin at an instant of one's own, and stay there."""
    url = ("--url", server.url)
    say("sandbox", "create", "past", "--at", "2001-02-03T04:05:06Z", "--freeze", *url)
    shown = say("clock", "--sandbox", "past", *url)
    say("sandbox", "delete", "past", *url)

    assert (0, True) == (shown[0], shown[1].startswith("2001-02-03T04:05:06+00:00 frozen")), shown
