"""The command `serve`: one line when it can answer, a clean end, and settings that cannot be."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import READY, failure, run, serving

pytestmark = pytest.mark.slow


def test_serve_says_one_line_when_it_can_answer() -> None:
    """The first line is there when the server answers, is flushed, and stays the only one until SIGTERM ends it."""
    with serving("--port", "0") as (process, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answers = [httpx.get(f"{match[1]}{path}", trust_env=False) for path in ("/livez", "/readyz")]
        process.terminate()
        rest = process.communicate()

    assert [(200, "ok"), (200, "ok")] == [(answer.status_code, answer.text) for answer in answers]
    assert "memory" == match[2]
    assert (0, ("", "")) == (process.returncode, rest)


def test_serve_stops_on_interrupt() -> None:
    """Ctrl-C ends a server as quietly as SIGTERM does."""
    with serving("--port", "0") as (process, line):
        assert READY.fullmatch(line)
        process.send_signal(2)
        rest = process.communicate()

    assert (0, ("", "")) == (process.returncode, rest)


def test_serve_names_the_data_folder(tmp_path: Path) -> None:
    """The line names the folder that keeps the data, which is made when it is missing."""
    data = tmp_path / "new" / "data"
    with serving("--port", "0", "--data", str(data)) as (_, line):
        match = READY.fullmatch(line)

    assert match is not None, line
    assert (str(data), ["default.sqlite"]) == (match[2], sorted(path.name for path in data.glob("*.sqlite")))


def test_serve_loads_samples(tmp_path: Path) -> None:
    """Samples are loaded before the server answers, each under its name, and once only where data is kept."""
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


def test_environment_sets_and_flag_wins(tmp_path: Path) -> None:
    """A variable sets what its flag would; where both are given, the flag holds."""
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
        (["--port", "many"], {}, "--port must be a number, not 'many'"),
        (["--port", "70000"], {}, "--port must be from 0 to 65535, not 70000"),
        ([], {"OUTLOOK_EMULATOR_PORT": "-1"}, "OUTLOOK_EMULATOR_PORT must be from 0 to 65535"),
        (["--unknown-connections", "maybe"], {}, "--unknown-connections must be one of create, refuse"),
        ([], {"OUTLOOK_EMULATOR_MAX_TOP": ""}, "OUTLOOK_EMULATOR_MAX_TOP must be a number"),
        (["--host", "not an address"], {}, "cannot listen on not an address:"),
        (["--seed", "nothing"], {}, "There is no sample mailbox 'nothing'. Available: archive, empty, office."),
        (["--tls", "maybe"], {}, "--tls must be one of no, yes, not 'maybe'"),
        (["--tls", "--tls-ca-file", "/nowhere/ca.pem"], {}, "cannot write the certificate to /nowhere/ca.pem: No such"),
        (["--admin-token", "no blanks"], {}, "the admin token must have only letters, digits and -._~+/"),
        ([], {"OUTLOOK_EMULATOR_ADMIN_TOKEN": "secret\n"}, "the admin token must have only letters, digits and"),
    ],
)
def test_serve_refuses(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    """A setting that cannot be ends the command with 1 and one line that says which, without a traceback."""
    port = [] if "--port" in arguments or "OUTLOOK_EMULATOR_PORT" in environment else ["--port", "0"]

    assert expected in failure(run("serve", *port, *arguments, **environment))


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "0.0.0.0"), ("::", "::"), ("", "0.0.0.0")])
def test_serve_refuses_to_open_the_admin_api(host: str, shown: str) -> None:
    """Beyond this machine's own addresses there is no server without an admin token; the line says what to do."""
    assert failure(run("serve", "--port", "0", "--host", host)) == (
        f"listening on {shown} opens the admin API to other machines:"
        " set OUTLOOK_EMULATOR_ADMIN_TOKEN to a secret, or listen on 127.0.0.1"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machines_own_addresses_need_no_token(host: str) -> None:
    """On a loopback address the admin API answers whoever asks."""
    with serving("--port", "0", "--host", host) as (_, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        answer = httpx.get(f"{match[1]}/_emulator/api/sandboxes", trust_env=False)

    assert answer.status_code == 200


@pytest.mark.parametrize("source", ["flag", "variable"])
def test_serve_with_an_admin_token(source: str) -> None:
    """With a token the emulator serves everybody, the admin API whoever has it; no output ever shows it."""
    secret = "a-very-secret-token"
    flags = ["--admin-token", secret] if source == "flag" else []
    variables = {} if source == "flag" else {"OUTLOOK_EMULATOR_ADMIN_TOKEN": secret}
    with serving("--port", "0", "--host", "0.0.0.0", *flags, **variables) as (process, line):
        match = READY.fullmatch(line)
        assert match is not None, line
        root = match[1].replace("0.0.0.0", "127.0.0.1")
        sent = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {secret}"}]
        answers = [httpx.get(f"{root}/_emulator/api/sandboxes", headers=headers, trust_env=False) for headers in sent]
        process.terminate()
        rest = process.communicate()

    assert [401, 401, 200] == [answer.status_code for answer in answers]
    assert secret not in "".join([line, *rest, *(answer.text for answer in answers)])


@pytest.mark.parametrize("flags", [["--tls"], ["--tls", "yes"], []], ids=" ".join)
def test_serve_with_tls(flags: list[str]) -> None:
    """With TLS the line names an https address and the file to trust for it, which goes when the server does."""
    variables = {} if flags else {"OUTLOOK_EMULATOR_TLS": "yes"}
    with serving(*flags, "--port", "0", **variables) as (process, line):
        match = re.fullmatch(r"outlook-emulator ready url=(https://127.0.0.1:\d+) store=memory ca=(/.+)\n", line)
        assert match is not None, line
        context = ssl.create_default_context(cafile=match[2])
        answer = httpx.get(f"{match[1]}/readyz", verify=context, trust_env=False)
        process.terminate()
        rest = process.communicate()

    assert (200, 0, ("", ""), False) == (answer.status_code, process.returncode, rest, Path(match[2]).exists())


def test_serve_without_tls() -> None:
    """What the environment says, a flag takes back."""
    with serving("--port", "0", "--tls", "no", OUTLOOK_EMULATOR_TLS="yes") as (_, line):
        assert READY.fullmatch(line), line


def test_serve_refuses_a_busy_port(closed_port: int) -> None:
    """A port that somebody has ends the command with 1 and a line that names it."""
    text = failure(run("serve", "--port", str(closed_port)))

    assert f"cannot listen on 127.0.0.1:{closed_port}: Address already in use" == text


@pytest.mark.parametrize("kind", ["file", "below", "garbage", "directory"])
def test_serve_refuses_bad_data(tmp_path: Path, kind: str) -> None:
    """A data folder that is none, or holds no database of ours, ends the command with 1 and a line naming it."""
    data = tmp_path / "data"
    if kind in ("file", "below"):
        data.write_text("I was here first")
    else:
        data.mkdir()
    if kind == "garbage":
        (data / "default.sqlite").write_text("Dear diary, " * 100)
    if kind == "directory":
        (data / "default.sqlite").mkdir()
    folder = data / "deeper" if kind == "below" else data
    text = failure(run("serve", "--port", "0", "--data", str(folder)))

    assert str(folder) in text
    assert "Errno" not in text
