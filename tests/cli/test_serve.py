"""The command `serve`: its ready line, a clean stop, and invalid settings."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import READY, failure, run, serving

pytestmark = pytest.mark.slow


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
        (["--port", "many"], {}, "--port must be a number, not 'many'"),
        (["--port", "70000"], {}, "--port must be from 0 to 65535, not 70000"),
        ([], {"OUTLOOK_EMULATOR_PORT": "-1"}, "OUTLOOK_EMULATOR_PORT must be from 0 to 65535"),
        (["--unknown-connections", "maybe"], {}, "--unknown-connections must be one of create, refuse"),
        ([], {"OUTLOOK_EMULATOR_MAX_TOP": ""}, "OUTLOOK_EMULATOR_MAX_TOP must be a number"),
        (["--host", "not an address"], {}, "cannot listen on not an address:"),
        (["--seed", "nothing"], {}, "There is no sample mailbox 'nothing'. Available: archive, empty, office."),
        (["--tls", "maybe"], {}, "--tls must be one of no, yes, not 'maybe'"),
        (["--tls", "--tls-names", "a,no_name"], {}, "no certificate can hold the name 'no_name'"),
        (["--cors-origins", "*"], {}, "'*' is not an origin such as http://localhost:5173"),
        (["--tls", "--tls-ca-file", "/nowhere/ca.pem"], {}, "cannot write the certificate to /nowhere/ca.pem: No such"),
        (["--admin-token", "no blanks"], {}, "the admin token must have only letters, digits and -._~+/"),
        ([], {"OUTLOOK_EMULATOR_ADMIN_TOKEN": "secret\n"}, "the admin token must have only letters, digits and"),
    ],
)
def test_invalid_setting(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    """An invalid setting exits with 1 and one line that names the setting."""
    port = [] if "--port" in arguments or "OUTLOOK_EMULATOR_PORT" in environment else ["--port", "0"]

    assert expected in failure(run("serve", *port, *arguments, **environment))


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "0.0.0.0"), ("::", "::"), ("", "0.0.0.0")])
def test_public_address_requires_an_admin_token(host: str, shown: str) -> None:
    """Without an admin token, the server does not listen on addresses that other machines can reach."""
    assert failure(run("serve", "--port", "0", "--host", host)) == (
        f"listening on {shown} opens the admin API to other machines:"
        " set OUTLOOK_EMULATOR_ADMIN_TOKEN to a secret, or listen on 127.0.0.1"
    )


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
        root = match[1].replace("0.0.0.0", "127.0.0.1")
        sent = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {secret}"}]
        answers = [httpx.get(f"{root}/_emulator/api/sandboxes", headers=headers, trust_env=False) for headers in sent]
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


@pytest.mark.parametrize("kind", ["file", "below", "garbage", "directory"])
def test_invalid_data_folder(tmp_path: Path, kind: str) -> None:
    """A data folder that is not a folder or has a foreign database exits with 1 and a line that names it."""
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
