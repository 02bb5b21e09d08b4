"""The command `serve`: its ready line, a clean stop, and invalid settings."""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from outlook_emulator import descriptors
from outlook_emulator import serving as serving_module
from tests.cli.commands import CLEAN, READY, command, failure, run, run_here, serving
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `serve` in this process, with variables in the keywords, up to the error that it must give; returns that."""

    def run_serve(*arguments: str, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return failure(run_here("serve", *arguments))

    # What a server changes in its process, and must not change in this one.
    monkeypatch.setattr(logging, "basicConfig", lambda **options: None)
    monkeypatch.setattr(descriptors, "raise_limit", lambda: None)
    # A server that starts after all fails the test, and does not run for ever.
    monkeypatch.setattr(serving_module, "config_of", None)
    return run_serve


def test_ready_line() -> None:
    """`serve` prints and flushes one line once the server responds, and nothing more until SIGTERM stops it."""
    with serving("--port", "0") as (process, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answers = [httpx.get(f"{match[1]}{path}", trust_env=False) for path in ("/livez", "/readyz")]
        process.terminate()
        rest = process.communicate()

    assert [(200, "ok"), (200, "ok")] == [(answer.status_code, answer.text) for answer in answers]
    assert "memory" == match[2]
    assert (0, ("", "")) == (process.returncode, rest)


def test_stops_on_interrupt() -> None:
    """Ctrl-C stops a server as quietly as SIGTERM."""
    with serving("--port", "0") as (process, line):
        assert READY.fullmatch(line)
        process.send_signal(2)
        rest = process.communicate()

    assert (0, ("", "")) == (process.returncode, rest)


def test_ready_file(tmp_path: Path) -> None:
    """The ready file holds the ready line while the server runs, and commands find the server by it."""
    file = tmp_path / "ready"
    with serving("--port", "0", "--ready-file", str(file)) as (process, line):
        written = file.read_text(encoding="utf-8")
        status = run("health", OUTLOOK_EMULATOR_READY_FILE=str(file)).returncode
        process.terminate()
        rest = process.communicate()

    assert (line, 0) == (written, status)
    assert (0, ("", ""), False) == (process.returncode, rest, file.exists())


def test_ready_file_with_tls(tmp_path: Path) -> None:
    """Commands trust the certificate that the ready line names."""
    file = tmp_path / "ready"
    with serving("--port", "0", "--tls", "--ready-file", str(file)) as (_, line):
        assert "url=https://" in line
        done = run("health", OUTLOOK_EMULATOR_READY_FILE=str(file))

    assert (0, "") == (done.returncode, done.stderr)


def test_ready_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A ready file in a folder that does not exist is an error before the server starts."""
    file = tmp_path / "missing" / "ready"

    assert failure(run("serve", "--port", "0", "--ready-file", str(file))) == (
        f"cannot write the ready file {file}: No such file or directory"
    )


def test_stops_while_it_starts() -> None:
    """SIGTERM before the server is ready ends it at once, with exit code 0 and without output.

    The import hook raises the signal at the first import of the server, when no part of it can have set a handler, and
    in a callback of a weak reference, where Python ignores exceptions.
    """
    program = """
import runpy, signal, sys, weakref


class Hook:
    def find_spec(self, name, *rest):
        if name == "outlook_emulator.serving":
            reference = weakref.ref(Hook(), lambda _: signal.raise_signal(signal.SIGTERM))


sys.meta_path.insert(0, Hook())
sys.argv = ["outlook-emulator", "serve", "--port", "0"]
runpy.run_module("outlook_emulator", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=CLEAN, capture_output=True, text=True, timeout=HUNG_AFTER
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_stops_while_requests_wait() -> None:
    """SIGTERM ends a `wait` request with 503 at once, without a traceback."""
    with serving("--port", "0") as (process, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        with closing(HTTPConnection(match[1].partition("://")[2], timeout=30)) as connection:
            connection.request("POST", "/_emulator/api/sandboxes/default/wait", '{"timeoutSeconds": 60}')
            # The server reads requests in order: when these have responses, the wait has started.
            for _ in range(2):
                assert httpx.get(f"{match[1]}/_emulator/api/sandboxes/default/clock", trust_env=False).is_success
            process.terminate()
            start = time.monotonic()
            rest = process.communicate()
            seconds = time.monotonic() - start
            answer = connection.getresponse()
            error = json.loads(answer.read())["error"]

    assert (503, "ServiceUnavailable") == (answer.status, error["code"])
    assert (0, ("", "")) == (process.returncode, rest)
    # Without the end of the wait, uvicorn waits five seconds for it.
    assert seconds < 4


def test_ready_line_names_the_data_folder(tmp_path: Path) -> None:
    """The ready line names the data folder, which is created if it is missing."""
    data = tmp_path / "new" / "data"
    with serving("--port", "0", "--data", str(data)) as (_, line):
        match = READY.fullmatch(line)

    assert match is not None, line
    assert (str(data), ["default.sqlite"]) == (match[2], sorted(path.name for path in data.glob("*.sqlite")))


def test_samples(tmp_path: Path) -> None:
    """Samples are loaded under their names before the server responds, and only once into a data folder."""
    seen = []
    for _ in range(2):
        with serving("--port", "0", "--seed", "empty, office", "--data", str(tmp_path)) as (_, line):
            url = line.split()[2].removeprefix("url=")
            sandbox = httpx.get(f"{url}/_emulator/api/sandboxes/default", trust_env=False).json()
            query = {"top": 1000, "fetchOnlyUnread": False}
            mails = httpx.get(f"{url}/apim/outlook/office/v2/Mail", params=query, headers={"Authorization": "Key x"})
            seen.append((sandbox["connections"], len(mails.json()["value"])))

    assert seen[0] == seen[1]
    assert seen[0][0] == ["empty", "office"]
    assert seen[0][1] > 0


def test_flag_overrides_the_environment(tmp_path: Path) -> None:
    """A variable sets the same setting as its flag, and the flag overrides the variable."""
    variables = {
        "OUTLOOK_EMULATOR_PORT": "1",
        "OUTLOOK_EMULATOR_DATA": str(tmp_path),
        "OUTLOOK_EMULATOR_AUTHORIZATION": "none",
    }
    with serving("--port", "0", **variables) as (_, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answer = httpx.get(f"{match[1]}/apim/outlook/ada/v2/Mail", trust_env=False)

    assert (str(tmp_path), 200) == (match[2], answer.status_code)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--port", "many"], {}, "--port (or OUTLOOK_EMULATOR_PORT) must be a number, not 'many'"),
        (["--port", "70000"], {}, "--port (or OUTLOOK_EMULATOR_PORT) must be from 0 to 65535, not 70000"),
        ([], {"OUTLOOK_EMULATOR_PORT": "-1"}, "--port (or OUTLOOK_EMULATOR_PORT) must be from 0 to 65535"),
        (
            ["--unknown-connections", "maybe"],
            {},
            "(or OUTLOOK_EMULATOR_UNKNOWN_CONNECTIONS) must be one of create, refuse",
        ),
        ([], {"OUTLOOK_EMULATOR_MAX_TOP": ""}, "--max-top (or OUTLOOK_EMULATOR_MAX_TOP) must be a number"),
        (["--domain", ""], {}, "--domain (or OUTLOOK_EMULATOR_DOMAIN) must be a domain of mail addresses such as"),
        (["--domain", "a@b.c"], {}, "must be a domain of mail addresses such as outlook.com, not 'a@b.c'"),
        (["--seed", "/"], {}, "The folder / has no mailbox.toml, which describes a mailbox."),
        (["--host", "not an address"], {}, "cannot listen on not an address:"),
        (["--seed", "nothing"], {}, "There is no sample mailbox 'nothing'. Available: archive, empty, office."),
        (["--tls", "maybe"], {}, "--tls (or OUTLOOK_EMULATOR_TLS) must be one of no, yes, not 'maybe'"),
        (["--tls", "--tls-names", "a,no_name"], {}, "no certificate can hold the name 'no_name'"),
        (["--cors-origins", "*"], {}, "'*' is not an origin such as http://localhost:5173"),
        (["--tls", "--tls-ca-file", "/nowhere/ca.pem"], {}, "cannot write the certificate to /nowhere/ca.pem: No such"),
        (["--admin-token", "no blanks"], {}, "the admin token must have only letters, digits and -._~+/"),
        ([], {"OUTLOOK_EMULATOR_ADMIN_TOKEN": "secret\n"}, "the admin token must have only letters, digits and"),
    ],
)
def test_invalid_setting(
    refused: Callable[..., str], arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    """An invalid setting exits with 1 and one line that names the setting."""
    port = [] if "--port" in arguments or "OUTLOOK_EMULATOR_PORT" in environment else ["--port", "0"]

    assert expected in refused(*port, *arguments, **environment)


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "0.0.0.0"), ("::", "::"), ("", "0.0.0.0")])
def test_public_address_requires_an_admin_token(refused: Callable[..., str], host: str, shown: str) -> None:
    """Without an admin token, the server does not listen on addresses that other machines can reach."""
    assert refused("--port", "0", "--host", host) == (
        f"listening on {shown} opens the admin API to other machines:"
        " set --admin-token (or OUTLOOK_EMULATOR_ADMIN_TOKEN) to a secret, or listen on 127.0.0.1"
    )


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_ready_line_names_a_reachable_url(host: str, shown: str) -> None:
    """A server that listens on all interfaces prints the loopback address, at which it responds."""
    with serving("--port", "0", "--host", host, OUTLOOK_EMULATOR_ADMIN_TOKEN="secret") as (_, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answer = httpx.get(f"{match[1]}/readyz", trust_env=False)

    assert (f"http://{shown}", 200) == (match[1].rpartition(":")[0], answer.status_code)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_addresses_need_no_token(host: str) -> None:
    """On a loopback address the admin API works without a token."""
    with serving("--port", "0", "--host", host) as (_, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answer = httpx.get(f"{match[1]}/_emulator/api/sandboxes", trust_env=False)

    assert answer.status_code == 200


@pytest.mark.parametrize("source", ["flag", "variable"])
def test_admin_token(source: str) -> None:
    """With a token, only the admin API requires it, and no output contains the token."""
    secret = "a-very-secret-token"
    flags = ["--admin-token", secret] if source == "flag" else []
    variables = {} if source == "flag" else {"OUTLOOK_EMULATOR_ADMIN_TOKEN": secret}
    with serving("--port", "0", "--host", "0.0.0.0", *flags, **variables) as (process, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        sent = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {secret}"}]
        answers = [
            httpx.get(f"{match[1]}/_emulator/api/sandboxes", headers=headers, trust_env=False) for headers in sent
        ]
        process.terminate()
        rest = process.communicate()

    assert [401, 401, 200] == [answer.status_code for answer in answers]
    assert secret not in "".join([line, *rest, *(answer.text for answer in answers)])


@pytest.mark.parametrize("flags", [["--tls"], ["--tls", "yes"], []], ids=" ".join)
def test_tls(flags: list[str]) -> None:
    """With TLS, the ready line has an https URL and the certificate file, which lasts."""
    variables = {} if flags else {"OUTLOOK_EMULATOR_TLS": "yes"}
    with serving(*flags, "--port", "0", **variables) as (process, line):
        match = re.fullmatch(r"outlook-emulator ready url=(https://127.0.0.1:\d+) store=memory ca=(/.+)\n", line)
        assert match is not None, line
        context = ssl.create_default_context(cafile=match[2])
        answer = httpx.get(f"{match[1]}/readyz", verify=context, trust_env=False)
        process.terminate()
        rest = process.communicate()

    assert (200, 0, ("", ""), True) == (answer.status_code, process.returncode, rest, Path(match[2]).exists())


def test_flag_turns_tls_off() -> None:
    """The flag overrides the TLS setting of the environment."""
    with serving("--port", "0", "--tls", "no", OUTLOOK_EMULATOR_TLS="yes") as (_, line):
        assert READY.fullmatch(line), line


def test_port_in_use(closed_port: int) -> None:
    """A port that is in use exits with 1 and a line that names it."""
    text = failure(run("serve", "--port", str(closed_port)))

    assert f"cannot listen on 127.0.0.1:{closed_port}: Address already in use" == text


@pytest.mark.parametrize("kind", ["file", "below"])
def test_invalid_data_folder(refused: Callable[..., str], tmp_path: Path, kind: str) -> None:
    """A data folder that is not a folder exits with 1 and a line that names it."""
    data = tmp_path / "data"
    data.write_text("I was here first")
    folder = data / "deeper" if kind == "below" else data
    text = refused("--port", "0", "--data", str(folder))

    assert str(folder) in text
    assert "Errno" not in text


def test_request_log() -> None:
    """`--log requests` prints a line for each request, at once and without colours where no terminal looks on."""
    with serving("--port", "0", "--log", "requests", "--journal-entries", "0") as (process, line):
        url = line.split()[2].removeprefix("url=")
        httpx.get(f"{url}/apim/outlook/alice/v2/Mail", headers={"Authorization": "Key x"}, trust_env=False)
        assert process.stderr is not None
        ok = process.stderr.readline()
        httpx.get(f"{url}/apim/outlook/alice/v2/Mail?top=x", headers={"Authorization": "Key x"}, trust_env=False)
        refused = process.stderr.readline()

    assert re.fullmatch(r"\d\d:\d\d:\d\d  200 +[\d.]+ ms  alice +GetEmailsV2\n", ok)
    assert re.fullmatch(r"\S+  400 +[\d.]+ ms  alice +GetEmailsV2  refusal InvalidRequest: .*'top'.*\n", refused)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo terminals")
@pytest.mark.parametrize(("environment", "colour"), [({}, "\x1b[32m"), ({"NO_COLOR": "1"}, "")])
def test_request_log_on_a_terminal(environment: dict[str, str], colour: str) -> None:
    """Where a terminal looks on, requests are logged without being asked for, in colours unless NO_COLOR is set."""
    terminal, device = os.openpty()
    with (
        os.fdopen(terminal) as screen,
        subprocess.Popen(
            command("serve", "--port", "0"),
            env=CLEAN | {"TERM": "xterm"} | environment,
            stdout=subprocess.PIPE,
            stderr=device,
            text=True,
        ) as process,
    ):
        os.close(device)
        assert process.stdout is not None
        url = process.stdout.readline().split()[2].removeprefix("url=")
        httpx.get(f"{url}/apim/outlook/alice/v2/Mail", headers={"Authorization": "Key x"}, trust_env=False)
        logged = screen.readline()
        process.terminate()

    assert "GetEmailsV2" in logged
    assert f"  {colour}200" in logged
