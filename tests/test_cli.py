"""The command `outlook-emulator`, run as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from emulator.cli import main
from emulator.operations import OPERATIONS, mail
from emulator.server.document import swagger
from emulator.settings import ENVIRONMENT_PREFIX, options

FIXTURES = Path(__file__).parent.parent / "fixtures"
READY = re.compile(r"outlook-emulator ready url=(http://\S+) store=(.+)\n")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
HEAVY = {"starlette", "uvicorn", "pydantic", "sqlmodel", "sqlalchemy", "orjson", "faker"}
UNUSED = {
    "trustme",
    "cryptography",
    "sqlalchemy",
    "sqlmodel",
    "faker",
    "email.policy",
    "emulator.mailbox.mime",
    "jinja2",
}
UNUSED |= {"icalendar", "vobject", "odata_query", "dateutil", "tzlocal"}
CHOSEN = {
    *("SendEmail", "SendEmailV2", "GetEmails", "GetEmailsV2", "GetEmail", "DeleteEmail", "Move", "Flag", "MarkAsRead"),
    *("ReplyTo", "ReplyToV2", "ReplyToV3", "ForwardEmail", "GetAttachment"),
    *("CalendarGetTables", "V3CalendarPostItem", "GetEventsCalendarViewV2", "RespondToEvent", "ContactPatchItem"),
    *("TestConnection", "OnFilePickerOpen", "OnFilePickerBrowse", "GetDataSets", "GetDataSetsMetadata"),
}
"""Some of what this version serves: every mail operation, what clients lean on, and of calendars and contacts a few."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "emulator.cli", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=CLEAN | environment, capture_output=True, text=True, timeout=60)


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that failed; there is nothing on standard output."""
    assert (1, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    return line.removeprefix("outlook-emulator: ")


def last_line(text: str) -> str:
    return text.splitlines()[-1]


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that has said it is ready, and what it said."""
    whole = command("serve", *arguments)
    with subprocess.Popen(
        whole, env=CLEAN | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server for the commands that talk to one."""
    with serving("--port", "0") as (_, line):
        yield line.split()[2].removeprefix("url=")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def babbler() -> Iterator[str]:
    """The URL of something that speaks, but not HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            wire, _ = listener.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(b"Hello, who is there?\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


# serve


def test_serve_says_one_line_when_it_can_answer() -> None:
    """The first line is there when the server answers, is flushed, and stays the only one until SIGTERM ends it."""
    with serving("--port", "0") as (process, line):
        found = READY.fullmatch(line)
        assert found is not None, line
        answers = [httpx.get(f"{found[1]}{path}", trust_env=False) for path in ("/livez", "/readyz")]
        process.terminate()
        rest = process.communicate()

    assert [(200, "ok"), (200, "ok")] == [(one.status_code, one.text) for one in answers]
    assert "memory" == found[2]
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
        found = READY.fullmatch(line)

    assert found is not None, line
    assert (str(data), ["default.sqlite"]) == (found[2], sorted(one.name for one in data.glob("*.sqlite")))


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
        found = READY.fullmatch(line)
        assert found is not None, line
        answer = httpx.get(f"{found[1]}/apim/outlook/ada/v2/Mail", trust_env=False)

    assert (str(tmp_path), 200) == (found[2], answer.status_code)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--port", "many"], {}, "OUTLOOK_EMULATOR_PORT must be a number, not 'many'"),
        (["--port", "65536"], {}, "65535"),
        ([], {"OUTLOOK_EMULATOR_PORT": "-1"}, "OUTLOOK_EMULATOR_PORT must not be negative"),
        (["--unknown-connections", "maybe"], {}, "OUTLOOK_EMULATOR_UNKNOWN_CONNECTIONS must be one of create, refuse"),
        ([], {"OUTLOOK_EMULATOR_MAX_TOP": ""}, "OUTLOOK_EMULATOR_MAX_TOP must be a number"),
        (["--host", "not an address"], {}, "cannot listen on not an address:"),
        (["--seed", "nothing"], {}, "There is no sample mailbox 'nothing'. Known are: archive, empty, office."),
        (["--tls", "maybe"], {}, "OUTLOOK_EMULATOR_TLS must be one of no, yes, not 'maybe'"),
        (["--tls", "--tls-ca-file", "/nowhere/ca.pem"], {}, "cannot write the certificate to /nowhere/ca.pem: No such"),
        (["--admin-token", "no blanks"], {}, "the admin token must have only letters, digits and -._~+/"),
        ([], {"OUTLOOK_EMULATOR_ADMIN_TOKEN": "secret\n"}, "the admin token must have only letters, digits and"),
    ],
)
def test_serve_refuses(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    """A setting that cannot be ends the command with 1 and one line that says which, without a traceback."""
    given = [] if "--port" in arguments or "OUTLOOK_EMULATOR_PORT" in environment else ["--port", "0"]

    assert expected in failure(run("serve", *given, *arguments, **environment))


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
        found = READY.fullmatch(line)
        assert found is not None, line
        answer = httpx.get(f"{found[1]}/_emulator/api/sandboxes", trust_env=False)

    assert answer.status_code == 200


@pytest.mark.parametrize("given", ["flag", "variable"])
def test_serve_with_an_admin_token(given: str) -> None:
    """With a token the emulator serves everybody, the admin API whoever has it; no output ever shows it."""
    secret = "a-very-secret-token"
    flags = ["--admin-token", secret] if given == "flag" else []
    variables = {} if given == "flag" else {"OUTLOOK_EMULATOR_ADMIN_TOKEN": secret}
    with serving("--port", "0", "--host", "0.0.0.0", *flags, **variables) as (process, line):
        found = READY.fullmatch(line)
        assert found is not None, line
        root = found[1].replace("0.0.0.0", "127.0.0.1")
        sent = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {secret}"}]
        answers = [httpx.get(f"{root}/_emulator/api/sandboxes", headers=one, trust_env=False) for one in sent]
        process.terminate()
        rest = process.communicate()

    assert [401, 401, 200] == [one.status_code for one in answers]
    assert secret not in "".join([line, *rest, *(one.text for one in answers)])


@pytest.mark.parametrize("given", [["--tls"], ["--tls", "yes"], []], ids=" ".join)
def test_serve_with_tls(given: list[str]) -> None:
    """With TLS the line names an https address and the file to trust for it, which goes when the server does."""
    variables = {} if given else {"OUTLOOK_EMULATOR_TLS": "yes"}
    with serving(*given, "--port", "0", **variables) as (process, line):
        found = re.fullmatch(r"outlook-emulator ready url=(https://127.0.0.1:\d+) store=memory ca=(/.+)\n", line)
        assert found is not None, line
        context = ssl.create_default_context(cafile=found[2])
        answer = httpx.get(f"{found[1]}/readyz", verify=context, trust_env=False)
        process.terminate()
        rest = process.communicate()

    assert (200, 0, ("", ""), False) == (answer.status_code, process.returncode, rest, Path(found[2]).exists())


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
    given = data / "deeper" if kind == "below" else data
    text = failure(run("serve", "--port", "0", "--data", str(given)))

    assert str(given) in text
    assert "Errno" not in text


# operations, swagger


def test_operations_as_a_table() -> None:
    """There is a line for each operation, with its id, method, path and whether it is served, and a sum."""
    done = run("operations")
    *lines, total = done.stdout.splitlines()
    expected = [(row.id, row.method, "served" if row.served else "not served", row.full_path) for row in OPERATIONS]
    found = [re.fullmatch(r"(\w+) +([A-Z]+) +(?:V\d,?)+ +(served|not served) +(/\S+)", line) for line in lines]

    assert (0, "") == (done.returncode, done.stderr)
    assert expected == [one.groups() for one in found if one]
    assert f"{sum(row.served for row in OPERATIONS)} of {len(OPERATIONS)} operations served" == total


def test_operations_as_json() -> None:
    """The same table as JSON: all rows in order, with the versions of each operation's family."""
    done = run("operations", "--json")
    table: list[dict[str, Any]] = json.loads(done.stdout)
    versions = {line["id"]: line["versions"] for line in table}

    assert 0 == done.returncode
    assert [(row.id, row.served) for row in OPERATIONS] == [(line["id"], line["served"]) for line in table]
    assert ([1, 2, 3], [1, 2]) == (versions["ReplyToV2"], versions["SendEmail"])


def test_every_mail_operation_is_served() -> None:
    """All mail rows are served, deprecated ones included, and what clients lean on."""
    table = {row.id: row.served for row in OPERATIONS}

    assert table.keys() >= CHOSEN
    assert [] == [id for id in sorted(CHOSEN) if not table[id]]
    assert [] == [row.id for row in mail.OPERATIONS if not row.served]


def test_swagger() -> None:
    """The document that is printed is the one made from the rows."""
    done = run("swagger")

    assert 0 == done.returncode
    assert json.loads(json.dumps(swagger(OPERATIONS))) == json.loads(done.stdout)


# commands that talk to a server


def test_health(url: str) -> None:
    """A server that answers is healthy: exit code 0, and nothing to say."""
    done = run("health", "--url", url)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_health_asks_where_the_environment_says(url: str) -> None:
    """The URL may come from the environment; a proxy that is set there is not asked."""
    proxy = "http://127.0.0.1:1"
    done = run("health", OUTLOOK_EMULATOR_URL=url, http_proxy=proxy, HTTP_PROXY=proxy, no_proxy="")

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("arguments", [["health"], ["seed", "office"], ["clock"], ["reset"]], ids=lambda one: one[0])
def test_nobody_answers(closed_port: int, arguments: list[str]) -> None:
    """Without a server the command fails with 1 and says whom it asked."""
    asked = f"http://127.0.0.1:{closed_port}"

    assert failure(run(*arguments, "--url", asked)).startswith(f"{asked} does not answer: ")


def test_somebody_else_answers(babbler: str) -> None:
    """What speaks no HTTP is not healthy, and is no reason for a traceback."""
    assert failure(run("health", "--url", babbler)).startswith(f"{babbler} does not answer: ")


@pytest.mark.parametrize("asked", ["localhost", "http://", "http://a b", "nothing://x", "http://[::"])
def test_url_that_is_none(asked: str) -> None:
    """A URL that is none fails with 1 and one line."""
    assert failure(run("health", "--url", asked)).startswith(f"{asked} does not answer: ")


def test_health_of_another_server(url: str) -> None:
    """A server that has no such health check is not healthy."""
    assert "does not answer" in failure(run("health", "--url", f"{url}/elsewhere"))


def test_seed_and_reset(url: str) -> None:
    """A sample is loaded under the id asked for, and is still there, fresh, after a reset."""
    httpx.post(f"{url}/_emulator/api/sandboxes", json={"name": "one"}).raise_for_status()
    seeded = run("seed", "office", "--connection", "mine", "--sandbox", "one", "--url", url)
    reset = run("reset", "--sandbox", "one", "--url", url)

    assert (0, "mine", "ada@example.com") == (
        seeded.returncode,
        json.loads(seeded.stdout)["id"],
        json.loads(seeded.stdout)["address"],
    )
    assert (0, {"name": "one", "connections": ["mine"]}) == (reset.returncode, json.loads(reset.stdout))


@pytest.mark.parametrize("file", ["ics/windows-zone.ics", "vcf/v4.vcf"])
def test_import_and_export(url: str, file: str) -> None:
    """A file goes into a mailbox, and comes out of it again."""
    format = file[-3:]
    httpx.get(f"{url}/apim/outlook/filed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    brought = run("import", str(FIXTURES / file), "--connection", "filed", "--url", url)
    carried = run("export", format, "--connection", "filed", "--url", url)

    assert (0, 0) == (brought.returncode, carried.returncode)
    assert json.loads(brought.stdout)["ids"]
    begin = {"ics": "BEGIN:VCALENDAR", "vcf": "BEGIN:VCARD"}[format]
    assert carried.stdout.startswith(begin)


def test_import_of_what_cannot_be(url: str, tmp_path: Path) -> None:
    """What is no such file, is missing, broken or for nobody, is said in one line."""
    broken = tmp_path / "broken.ics"
    broken.write_text("hello")
    for arguments, expected in (
        (["mail.eml", "--connection", "x"], "mail.eml ends neither in .ics nor in .vcf"),
        (["none.ics", "--connection", "x"], "none.ics cannot be read: No such file or directory"),
        ([str(broken), "--connection", "nobody-yet"], "No connection 'nobody-yet' exists in this sandbox."),
    ):
        assert failure(run("import", *arguments, "--url", url)) == expected


def test_clock(url: str) -> None:
    """A sandbox's clock is shown, frozen, moved and released; what cannot be is said in one line."""
    httpx.post(f"{url}/_emulator/api/sandboxes", json={"name": "timed"}).raise_for_status()
    orders = [["freeze"], ["set", "2090-03-01T09:00Z"], ["advance", "1h30m"], [], ["follow"]]
    done = [run("clock", *order, "--sandbox", "timed", "--url", url) for order in orders]
    facts = [json.loads(one.stdout) for one in done]

    assert ["frozen", "frozen", "frozen", "frozen", "shifted"] == [one["mode"] for one in facts]
    assert ["2090-03-01T09:00:00+00:00", *["2090-03-01T10:30:00+00:00"] * 2] == [one["now"] for one in facts[1:4]]
    late = run("clock", "set", "2001-01-01", "--sandbox", "timed", "--url", url)
    assert failure(late).startswith("The clock stays where it is: a clock cannot go backwards")


@pytest.mark.parametrize("arguments", [["advance"], ["set"], ["freeze", "1h"], ["show", "1h"], ["rewind"]])
def test_misused_clock(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A value too few or too many, or an unknown action, is misuse."""
    with pytest.raises(SystemExit, match="2"):
        main(["clock", *arguments])

    assert "outlook-emulator clock: error: " in capsys.readouterr().err


def test_seed_defaults(url: str) -> None:
    """Without more words a sample goes to the default sandbox under its own name, once."""
    first, second = (run("seed", "empty", "--url", url) for _ in range(2))

    assert (0, "empty") == (first.returncode, json.loads(first.stdout)["id"])
    assert failure(second) == "The connection 'empty' exists already."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed", "nothing"], "There is no sample mailbox 'nothing'. Known are: archive, empty, office."),
        (["seed", "office", "--sandbox", "none"], "No sandbox 'none' exists."),
        (["reset", "--sandbox", "none"], "No sandbox 'none' exists."),
        (["reset", "--sandbox", "no such one"], "No sandbox 'no such one' exists."),
    ],
)
def test_refused(url: str, arguments: list[str], expected: str) -> None:
    """What the server refuses fails with 1 and the server's own words."""
    assert expected == failure(run(*arguments, "--url", url))


# help, and what is imported


def test_help_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Help on `serve` names each flag, its variable and its default."""
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.split())

    assert stopped.value.code == 0
    for one in options():
        value = f"[{one.name.upper()}]" if one.is_switch else one.name.upper()
        assert f"{one.flag} {value}" in text
        assert re.search(rf"\(default {re.escape(repr(one.default))};\s?\${one.variable}\)", text)


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, and the command line counts as misused."""
    status = main([])

    assert (2, True) == (status, "COMMAND" in capsys.readouterr().out)


def test_misused() -> None:
    """A command or a flag that there is not is a misuse: exit code 2, told on standard error."""
    for arguments in (["dance"], ["serve", "--dance"], ["seed"]):
        done = run(*arguments)

        assert (2, "") == (done.returncode, done.stdout)
        assert "usage: outlook-emulator" in done.stderr


def imported(*arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import sys\nfrom emulator.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=CLEAN, capture_output=True, text=True, check=True, timeout=60
    )
    return set(last_line(done.stderr).split())


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["health"], ["reset"]], ids=" ".join)
def test_light_commands_import_little(url: str, arguments: list[str]) -> None:
    """Help, and the commands that only ask a server, do not pay for being one."""
    asked = [] if "--help" in arguments else ["--url", url]
    modules = imported(*arguments, *asked)

    assert "emulator.settings" in modules
    assert set() == HEAVY & modules


def test_server_imports_only_what_it_uses() -> None:
    """Serving mail needs neither SQLAlchemy, nor the sample generator, nor a parser of MIME: start-up and memory."""
    code = """
import asyncio, sys
from emulator.app import create_app
from emulator.settings import Settings
import emulator.serving

async def call(app, method, path, body=b""):
    heard = []
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}
    async def send(message):
        heard.append(message)
    headers = [(b"authorization", b"Bearer x"), (b"content-type", b"application/json")]
    await app({"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": None, "server": ("127.0.0.1", 1)}, receive, send)
    print(heard[0]["status"])

app = create_app(Settings())
asyncio.run(call(app, "POST", "/apim/outlook/ada/v2/Mail", b'{"To": "ada@outlook.com", "Subject": "a", "Body": "b"}'))
asyncio.run(call(app, "GET", "/apim/outlook/ada/v2/Mail"))
app.state.sandboxes.close()
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], env=CLEAN, capture_output=True, text=True, timeout=60)
    *statuses, modules = done.stdout.splitlines()

    assert ["200", "200"] == statuses, done.stderr
    assert "starlette.applications" in modules.split()
    assert set() == UNUSED & set(modules.split())


def test_output_may_be_cut_short() -> None:
    """A reader that has seen enough, such as `head`, causes no traceback."""
    command = [sys.executable, "-u", "-m", "emulator.cli", "swagger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()

    assert (0, "") == (process.returncode, errors)
