"""The commands `sandbox`, `seed` and `reset`: create, fill, export, import, reset and delete sandboxes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from outlook_emulator.cli.sandboxes import HOLDS
from tests.cli.commands import failure, run
from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

pytestmark = pytest.mark.slow

FACTS = {"name": "t 1", "connections": ["a", "b"]}


def test_seed_and_reset(url: str) -> None:
    """`seed` loads a sample under the given id, and a reset restores the sample."""
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
    """By default, `seed` loads a sample into the default sandbox under its own name."""
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
        (["sandbox", "create", "t", "--connection", "a=nobody"], "'address' must be one mail address, not 'nobody'."),
    ],
)
def test_error_response(server: Server, say: Callable[..., Any], arguments: list[str], expected: str) -> None:
    """An error response exits with 1 and the server's message."""
    status, out, errors = say(*arguments, "--url", server.url)

    assert (1, "") == (status, out)
    assert errors.startswith("outlook-emulator: ")
    assert expected in errors


def test_life_of_a_sandbox(server: Server, say: Callable[..., Any]) -> None:
    """A sandbox is created with connections and samples, listed, shown, reset and deleted."""
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


def test_show_defaults_to_the_default_sandbox(server: Server, say: Callable[..., Any]) -> None:
    """`sandbox show` defaults to the default sandbox; `delete` and `create` require a name."""
    assert say("sandbox", "show", "--url", server.url)[1].startswith("sandbox default with connections: ")
    assert [2, 2] == [say("sandbox", action, "--url", server.url)[0] for action in ("delete", "create")]


def test_json_prints_the_response(server: Server, sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """--json prints the response unchanged, and nothing if the response is empty."""
    shown = say("sandbox", "show", sandbox.name, "--json", "--url", server.url)
    expected = server.http.get(f"/_emulator/api/sandboxes/{sandbox.name}").text
    say("sandbox", "create", "brief", "--url", server.url)

    assert (0, f"{expected}\n", "") == shown
    assert (0, "", "") == say("sandbox", "delete", "brief", "--json", "--url", server.url)


def test_export(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """`sandbox export` writes the response to the file unchanged; only the owner can read it, as it holds secrets."""
    stub.body = b"SQLite format 3\0\xff"
    file = tmp_path / "t.sqlite"

    assert (0, f"wrote sandbox t 1 to {file} (17 bytes); {HOLDS}\n", "") == say(
        "sandbox", "export", str(file), "--sandbox", "t 1", "--url", stub.url
    )
    assert stub.body == file.read_bytes()
    assert 0o600 == file.stat().st_mode & 0o777 or os.name == "nt"
    assert "GET /_emulator/api/sandboxes/t%201/export" == stub.last().line


def test_export_to_standard_output(stub: Stub, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """`-` writes the export to standard output, and nothing else is printed there."""
    from outlook_emulator.cli import main

    stub.body = b"SQLite format 3\0\xff"

    assert 0 == main(["sandbox", "export", "-", "--url", stub.url])
    assert (stub.body, b"") == capfdbinary.readouterr()


def test_failed_export(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """An unwritable file is named in the error, and an error response creates no file."""
    file = tmp_path / "no such folder" / "t.sqlite"
    lost = say("sandbox", "export", str(file), "--url", stub.url)
    stub.status, stub.body = 404, {"status": 404, "message": "No sandbox 'x' exists.\r\nclientRequestId: 1"}
    refused = say("sandbox", "export", str(tmp_path / "x"), "--sandbox", "x", "--url", stub.url)

    assert (1, "", f"outlook-emulator: cannot write {file}: No such file or directory\n") == lost
    assert (1, "", "outlook-emulator: No sandbox 'x' exists.\n") == refused
    assert [] == list(tmp_path.iterdir())


def test_import(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """`sandbox import` sends the file unchanged, with the content type of a database."""
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
    """`-` reads from standard input; a missing file is named in the error, and no request is sent."""
    stub.body = FACTS
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"bytes")))
    say("sandbox", "import", "-", "--url", stub.url)
    missing = say("sandbox", "import", str(tmp_path / "none"), "--url", stub.url)

    assert [b"bytes"] == [request.body for request in stub.requests]
    assert (1, f"outlook-emulator: cannot read {tmp_path / 'none'}: No such file or directory\n") == missing[::2]


def test_copy_of_a_sandbox(server: Server, say: Callable[..., Any], tmp_path: Path) -> None:
    """An exported sandbox can be imported into another one, with a prefix for its connection ids."""
    file, url = tmp_path / "t.sqlite", ("--url", server.url)
    say("sandbox", "create", "first", "--connection", "first-ann", *url)
    say("sandbox", "create", "second", *url)
    say("sandbox", "export", str(file), "--sandbox", "first", *url)
    done = say("sandbox", "import", str(file), "--sandbox", "second", "--connection-prefix", "copy-", *url)
    for name in ("first", "second"):
        say("sandbox", "delete", name, *url)

    assert (0, "sandbox second with connections: copy-first-ann\n", "") == done


def test_frozen_clock(server: Server, say: Callable[..., Any]) -> None:
    """A sandbox can start at a given time with a frozen clock."""
    url = ("--url", server.url)
    say("sandbox", "create", "past", "--at", "2001-02-03T04:05:06Z", "--freeze", *url)
    shown = say("clock", "--sandbox", "past", *url)
    say("sandbox", "delete", "past", *url)

    assert (0, True) == (shown[0], shown[1].startswith("2001-02-03T04:05:06+00:00 frozen")), shown


class TestSeveralServers:
    """With `--url` several times, a command asks the server that has the sandbox."""

    def test_list(self, server: Server, sandbox: Sandbox, configured: Callable[..., Sandbox], say: Any) -> None:
        """`sandbox list` gathers the lists of all, and says where each sandbox is."""
        other = configured()
        urls = ("--url", server.url, "--url", other.server.url)
        rows = json.loads(say("sandbox", "list", "--json", *urls)[1])["value"]
        places = {(row["name"], row["server"]) for row in rows}

        assert {(sandbox.name, server.url), (other.name, other.server.url)} <= places
        assert "SERVER" in say("sandbox", "list", *urls)[1].splitlines()[0]
        assert 0 == say("health", *urls)[0]

    def test_the_server_with_the_sandbox_is_asked(
        self, server: Server, configured: Callable[..., Sandbox], say: Any
    ) -> None:
        """In any order of the URLs."""
        other = configured()
        other.connect("zoe").deliver(subject="Here")
        for urls in ([server.url, other.server.url], [other.server.url, server.url]):
            words = [word for url in urls for word in ("--url", url)]
            listed = say("mail", "list", "--connection", f"{other.name}.zoe", "--sandbox", other.name, *words)
            assert (0, True) == (listed[0], "Here" in listed[1]), listed

    def test_no_or_several_servers(
        self, server: Server, configured: Callable[..., Sandbox], closed_port: int, say: Any
    ) -> None:
        """A sandbox that is nowhere or on several, and a new one, are errors, also while a server is gone."""
        urls = ("--url", server.url, "--url", configured().server.url)
        gone = ("--url", server.url, "--url", f"http://127.0.0.1:{closed_port}")
        errors = [
            (("show", "nowhere", *urls), "the sandbox 'nowhere' is on none of them"),
            (("show", "default", *urls), f"the sandbox 'default' is on {urls[1]} and {urls[3]}"),
            (("create", "new", *urls), "a new sandbox needs a single --url"),
            (("show", "nowhere", *gone), f"no response from {gone[3]}"),
            (("show", "nowhere", *gone), "the sandbox 'nowhere' is on none of them, as far as the others respond"),
            (("show", "default", *gone), f"the sandbox 'default' is on {gone[1]}, as far as the others respond"),
        ]

        for words, expected in errors:
            status, _, error = say("sandbox", *words)
            assert (1, True) == (status, expected in error), error

    def test_a_server_that_is_gone(self, server: Server, sandbox: Sandbox, closed_port: int, say: Any) -> None:
        """The others are listed, and the sandbox on one of them is shown; standard error names the one that is gone."""
        urls = ("--url", f"http://127.0.0.1:{closed_port}", "--url", server.url)
        listed, shown = say("sandbox", "list", *urls), say("sandbox", "show", sandbox.name, *urls)

        assert (1, True) == (listed[0], f"{sandbox.name} " in listed[1]), listed
        assert (0, True) == (shown[0], f"sandbox {sandbox.name} " in shown[1]), shown
        for _, _, error in (listed, shown):
            (line,) = error.splitlines()
            assert f"no response from {urls[1]}" in line
