"""The command line as a whole: its help, usage errors, and imports."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

import pytest

from outlook_emulator.cli import main, parser
from outlook_emulator.settings import options
from tests.cli.commands import CLEAN, run
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

HEAVY = {"starlette", "uvicorn", "pydantic", "sqlmodel", "sqlalchemy", "orjson", "faker"}
UNUSED = {
    "trustme",
    "cryptography",
    "sqlalchemy",
    "sqlmodel",
    "faker",
    "email.policy",
    "outlook_emulator.mailbox.formats.mime",
    "jinja2",
}
UNUSED |= {"icalendar", "odata_query", "dateutil", "tzlocal"}


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_help_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of `serve` names each flag with its choices, its variable and its default."""
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.split())

    assert stopped.value.code == 0
    for option in options():
        value = f"{{{','.join(option.choices)}}}" if option.choices else option.name.upper()
        value = f"[{value}]" if option.is_switch else value
        assert f"{option.flag} {value}" in text
        default = "" if option.default in ("", None) else rf"default: {re.escape(str(option.default))};\s?"
        assert re.search(rf"\({default}\${option.variable}\)", text)


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, the help is printed and the exit code is 2."""
    status = main([])

    assert (2, True) == (status, "COMMAND" in capsys.readouterr().out)


def test_usage_errors() -> None:
    """An unknown command or flag is a usage error: exit code 2 and a message on standard error."""
    for arguments in (["dance"], ["serve", "--dance"], ["seed"]):
        done = run(*arguments)

        assert (2, "") == (done.returncode, done.stdout)
        assert "usage: outlook-emulator" in done.stderr


def test_parser_of_one_command() -> None:
    """The parser that is made for one command says the same of it as the parser of all commands, and knows no other."""
    commands = subparsers(parser())
    for name, command in commands.items():
        (alone,) = subparsers(parser(name)).values()

        assert helps(command) == helps(alone)
    assert commands.keys() == subparsers(parser("dance")).keys()


def subparsers(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands below a command, by name."""
    groups = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: below for group in groups for name, below in group.choices.items()}


def helps(command: argparse.ArgumentParser) -> list[str]:
    """The help of a command, and of each of its actions."""
    return [command.format_help(), *(below.format_help() for below in subparsers(command).values())]


def imported(*arguments: str) -> set[str]:
    """Return the modules that are imported when a command exits."""
    code = (
        "import sys\nfrom outlook_emulator.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=CLEAN,
        capture_output=True,
        text=True,
        check=True,
        timeout=HUNG_AFTER,
    )
    return set(last_line(done.stderr).split())


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["health"], ["reset"]], ids=" ".join)
def test_light_commands_import_little(url: str, arguments: list[str]) -> None:
    """Help and client commands do not import the server."""
    asked = [] if "--help" in arguments else ["--url", url]
    modules = imported(*arguments, *asked)

    assert "outlook_emulator.settings" in modules
    assert set() == HEAVY & modules


def test_server_imports_only_what_it_uses() -> None:
    """A server that only handles mail does not import SQLAlchemy, the sample generator or the MIME parser."""
    code = """
import asyncio, sys
from outlook_emulator.app import create_app
from outlook_emulator.settings import Settings
import outlook_emulator.serving

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
    done = subprocess.run([sys.executable, "-c", code], env=CLEAN, capture_output=True, text=True, timeout=HUNG_AFTER)
    *statuses, modules = done.stdout.splitlines()

    assert ["200", "200"] == statuses, done.stderr
    assert "starlette.applications" in modules.split()
    assert set() == UNUSED & set(modules.split())


def test_closed_output() -> None:
    """A closed standard output, as after `head`, causes no traceback."""
    command = [sys.executable, "-u", "-m", "outlook_emulator", "swagger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()

    assert (0, "") == (process.returncode, errors)
