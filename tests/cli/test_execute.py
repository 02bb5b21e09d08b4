"""The command `exec`: run a command with an emulator of its own, pass on its exit code, and forward signals."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_emulator import certificates, client
from outlook_emulator.cli import run_with
from outlook_emulator.settings import Settings
from tests.cli.commands import CLEAN, command, default_signals, run
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

URL = "import os; print(os.environ['OUTLOOK_EMULATOR_URL'], flush=True)"
HEALTH = "from outlook_emulator.cli import main; print(main(['health']))"
WAITS = f"""
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: sys.exit(number + 40))
{URL}
sys.stdin.read()
"""
"""A program that prints the emulator's URL and waits for a signal or the end of its input."""


def execute(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("exec", *options, "--", sys.executable, "-c", code, **environment)


@contextmanager
def executing(code: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command with `exec`; yield the process and the first line of its output."""
    whole = command("exec", "--", sys.executable, "-c", code)
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with default_signals():
        process = subprocess.Popen(whole, env=CLEAN, text=True, **pipes)
    with process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def is_gone(url: str) -> bool:
    try:
        httpx.get(f"{url}/readyz", trust_env=False)
    except httpx.ConnectError:
        return True
    return False


def test_command() -> None:
    """The command has the arguments after the first `--`, its streams, the credential and an emulator while it runs."""
    code = f"""
import os, sys
{URL}
{HEALTH}
print(os.environ["OUTLOOK_EMULATOR_AUTHORIZATION"], sys.argv[1:])
print(sys.stdin.read().upper())
print("oh", file=sys.stderr)
"""
    words = [sys.executable, "-c", code, "--port", "--", "x"]
    whole = command("exec", "--authorization", "sesame", "--", *words)
    done = subprocess.run(whole, env=CLEAN, input="hello", capture_output=True, text=True, timeout=HUNG_AFTER)
    url, *lines = done.stdout.splitlines()

    assert (0, "oh\n") == (done.returncode, done.stderr)
    assert ["0", "sesame ['--port', '--', 'x']", "HELLO"] == lines
    assert is_gone(url)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
def test_exit_code(code: str, expected: int) -> None:
    """`exec` returns the command's exit code, or 128 plus the signal's number if a signal ended it."""
    assert expected == execute(code).returncode


def test_command_that_cannot_be_run(tmp_path: Path) -> None:
    """A command that does not exist or cannot be run returns the exit code that a shell returns."""
    text = tmp_path / "text"
    text.write_text("hello")
    missing, plain = (run("exec", "--", command) for command in ("no-such-command", str(text)))
    text.chmod(0o755)
    strange = run("exec", "--", str(text))

    assert (127, "outlook-emulator: no-such-command: command not found\n") == (missing.returncode, missing.stderr)
    assert (126, f"outlook-emulator: {text} cannot be run: Permission denied\n") == (plain.returncode, plain.stderr)
    assert (126, f"outlook-emulator: {text} cannot be run: Exec format error\n") == (strange.returncode, strange.stderr)


def test_settings() -> None:
    """Options of `serve` come before `--`; environment variables also set them, except for the port."""
    code = (
        "import os, httpx\nurl = os.environ['OUTLOOK_EMULATOR_URL']\n"
        "one = httpx.get(url + '/apim/outlook/empty/v2/Mail', trust_env=False)\n"
        "other = httpx.get(url + '/apim/outlook/other/v2/Mail', trust_env=False)\n"
        "print(one.status_code, other.status_code)"
    )
    variables = {"OUTLOOK_EMULATOR_AUTHORIZATION": "none", "OUTLOOK_EMULATOR_PORT": "1"}
    done = execute(code, "--seed", "empty", "--unknown-connections=refuse", **variables)

    assert ("200 404\n", "") == (done.stdout, done.stderr)


def test_tls_and_token() -> None:
    """With TLS and a token, the command finds a file of certificates, which lasts as long as it, and the token."""
    code = (
        "import os\nfrom outlook_emulator.client import fetch, server_url\n"
        "print(server_url().partition(':')[0], *(fetch('GET', server_url() + '/_emulator/api/sandboxes', token=t)[0]\n"
        "for t in (None, '')))\n"
        "print(os.environ['SSL_CERT_FILE'], os.path.exists(os.environ['SSL_CERT_FILE']))"
    )
    done = execute(code, "--tls", "--admin-token", "secret")
    answers, certificate = done.stdout.splitlines()
    file, existed = certificate.split()

    assert ("https 200 401", "") == (answers, done.stderr)
    assert ("True", False) == (existed, Path(file).exists())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--seed", "nothing"], "There is no sample mailbox 'nothing'"),
        (["--port", "many"], "--port (or OUTLOOK_EMULATOR_PORT) must be a number"),
        (["--random-seed", "-1"], "--random-seed (or OUTLOOK_EMULATOR_RANDOM_SEED) must be 0 or more"),
    ],
)
def test_emulator_that_does_not_start(tmp_path: Path, options: list[str], expected: str) -> None:
    """If the emulator cannot start, `exec` prints the reason, exits with 1 and does not run the command."""
    done = execute(f"open({str(tmp_path / 'ran')!r}, 'w')", *options)

    assert (1, "", True) == (done.returncode, done.stdout, expected in done.stderr)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["exec"], ["exec", "--"], ["exec", "pytest"], ["exec", "--dance", "--", "true"], ["exec", "x", "--", "y"]],
)
def test_usage_errors(say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing command or an unknown option is a usage error, and nothing is started."""
    status, out, errors = say(*arguments)

    assert (2, "", True) == (status, out, "usage: outlook-emulator" in errors)


def test_help(say: Callable[..., Any]) -> None:
    """The help shows the position of the command."""
    status, out, _ = say("exec", "--help")

    assert (0, True) == (status, "-- COMMAND ..." in out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_forwarded(number: signal.Signals) -> None:
    """Signals are forwarded to the command, which chooses its exit code; the emulator stops afterwards."""
    with executing(WAITS) as (process, url):
        assert not is_gone(url)
        process.send_signal(number)
        process.wait()
        output = process.communicate()

    assert (number + 40, ("", "")) == (process.returncode, output)
    assert is_gone(url)


def test_signal_that_ends_the_command() -> None:
    """If a signal ends the command, `exec` exits with 128 plus its number."""
    with executing(f"{URL}\nimport sys; sys.stdin.read()") as (process, url):
        process.send_signal(signal.SIGTERM)
        process.wait()

    assert 143 == process.returncode
    assert is_gone(url)


def test_emulator_stops_when_exec_is_killed() -> None:
    """If `exec` is killed, the emulator stops as well and closes its output."""
    with executing(WAITS) as (process, url):
        process.kill()
        output = process.communicate()

    assert ("", "") == output
    assert is_gone(url)


def test_signal_before_the_command() -> None:
    """A signal that arrives while there is no receiver is delivered once to the next receiver."""
    signals = run_with._Signals()
    heard: list[int] = []
    with default_signals(), signals.caught():
        signal.raise_signal(signal.SIGTERM)
        signals.send_to(heard.append)
        signal.raise_signal(signal.SIGINT)
        signals.send_to(None)
        signals.send_to(heard.append)

    assert ([signal.SIGTERM, signal.SIGINT], signal.SIGINT) == (heard, signals.last)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_ignored_signal() -> None:
    """A signal that is ignored, as under nohup, stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with run_with._Signals().caught():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_control_c_arrives_once() -> None:
    """Ctrl-C in a terminal reaches the command once: from the terminal, and not also from `exec`."""
    code = """
import signal, sys
heard = []
signal.signal(signal.SIGINT, lambda number, frame: (heard.append(number), print("heard", flush=True)))
print("up", flush=True)
sys.stdin.readline()
print("in all", len(heard), flush=True)
"""
    terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    whole = [sys.executable, "-c", terminal, *command("exec", "--", sys.executable, "-c", code)]
    with default_signals():
        process = subprocess.Popen(whole, env=CLEAN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [next(line for line in process.stdout if "up" in line)]
        process.stdin.write("\x03")
        process.stdin.flush()
        lines.append(next(line for line in process.stdout if "heard" in line))
        process.stdin.write("\n")
        process.stdin.flush()
        lines.append(next(line for line in process.stdout if "in all" in line))

    assert "in all 1" == lines[-1].strip()
    assert 0 == process.returncode


def test_folder_named_emulator(tmp_path: Path) -> None:
    """A folder named `emulator` in the working directory does not shadow the package."""
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator" / "__init__.py").write_text("raise ImportError('not this one')")
    whole = [sys.executable, "-P", "-m", "outlook_emulator", "exec", "--", sys.executable, "-c", URL]
    done = subprocess.run(whole, env=CLEAN, cwd=tmp_path, capture_output=True, text=True, timeout=HUNG_AFTER)

    assert (0, "") == (done.returncode, done.stderr)


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command's environment leads to the server of the ready line; other variables stay."""
    ca_file = certificates.ensure_authority(tmp_path / "a b")
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("MSI_ENDPOINT", "http://azure")
    monkeypatch.setenv(client.URL, "http://other")
    plain = run_with.environment(Settings(), "outlook-emulator ready url=http://h:1 store=memory", tmp_path)
    settings = Settings(admin_token="secret", authorization="key", identity_header="local-2", seed="office,empty")
    secure = run_with.environment(
        settings, f"outlook-emulator ready url=https://h:1 store=/my data/x ca={ca_file}", tmp_path
    )

    assert {"KEPT": "yes", "OUTLOOK_CONNECTION_URL": "http://h:1/apim/outlook/me"}.items() <= plain.items()
    assert {client.URL: "http://h:1", "IDENTITY_HEADER": "local"}.items() <= plain.items()
    assert plain["IDENTITY_ENDPOINT"] == "http://h:1/_emulator/msi/token"
    assert not {client.CA_FILE, client.TOKEN, "MSI_ENDPOINT", "OUTLOOK_EMULATOR_AUTHORIZATION"} & plain.keys()
    assert {client.URL: "https://h:1", client.CA_FILE: str(ca_file), client.TOKEN: "secret"}.items() <= secure.items()
    assert secure["OUTLOOK_CONNECTION_URL"] == "https://h:1/apim/outlook/office"
    assert ("key", "local-2", "local-2") == (
        secure["OUTLOOK_EMULATOR_AUTHORIZATION"],
        *(secure["OUTLOOK_EMULATOR_IDENTITY_HEADER"], secure["IDENTITY_HEADER"]),
    )


def test_emulator_that_exits_early(monkeypatch: pytest.MonkeyPatch, say: Callable[..., Any]) -> None:
    """If the emulator exits before the command, `exec` reports it and returns the command's exit code."""
    ready = run_with._ready

    def end(server: subprocess.Popen[str]) -> str | None:
        line = ready(server)
        server.kill()
        server.wait()
        return line

    monkeypatch.setattr(run_with, "_ready", end)
    done = say("exec", "--", sys.executable, "-c", "raise SystemExit(3)")

    assert (3, "", "outlook-emulator: the emulator ended before the command did, with exit code -9\n") == done


def test_signal_during_startup(monkeypatch: pytest.MonkeyPatch, say: Callable[..., Any]) -> None:
    """A signal during startup stops the emulator, and the command is not run."""
    ready = run_with._ready

    def interrupt(server: subprocess.Popen[str]) -> str | None:
        signal.raise_signal(signal.SIGTERM)
        return ready(server)

    monkeypatch.setattr(run_with, "_ready", interrupt)

    assert (143, "", "") == say("exec", "--", sys.executable, "-c", "print('ran')")
