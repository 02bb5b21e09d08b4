"""What the commands that ask a running emulator share: their options, one call, and what is said of the answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import format as text

_PATIENCE = 70.0
"""Seconds for an answer: as long as the admin API lets a caller wait, and some more."""


Run = Callable[[argparse.Namespace], int]
Show = Callable[[Any], Iterable[str]]
"""Makes the lines that people read from what the admin API answered."""


def group(commands: Any, name: str, help: str) -> Any:
    """A command that has actions; `action` adds one."""
    return commands.add_parser(name, help=help, description=help).add_subparsers(
        title="actions", metavar="ACTION", required=True
    )


def action(commands: Any, name: str, help: str, run: Run, *, sandbox: bool = True) -> argparse.ArgumentParser:
    """A command, or an action of one, that asks a running emulator."""
    made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    options(made, sandbox=sandbox)
    made.add_argument("--json", action="store_true", help="print the answer's JSON, and nothing where it has none")
    made.set_defaults(run=run, misused=made.error)
    return made


def options(command: argparse.ArgumentParser, *, sandbox: bool = True) -> None:
    """Add what says whom to ask, and in which sandbox where that matters."""
    if sandbox:
        command.add_argument("--sandbox", default="default", help="the sandbox that is meant (default: default)")
    command.add_argument("--url", default=client.server_url(), help=f"a running emulator (${client.URL})")
    command.add_argument("--token", help=f"its admin token (${client.TOKEN})")
    command.add_argument("--ca-file", metavar="PEM", help=f"certificates that https may rest on (${client.CA_FILE})")


def ask(
    given: argparse.Namespace,
    method: str,
    path: str,
    body: object = None,
    *,
    content_type: str = client.JSON,
    patience: float = _PATIENCE,
) -> tuple[int, bytes]:
    """One call to the emulator that the options name: status, 0 when nobody answers, and content."""
    url = f"{given.url}{path}"
    credentials = {"token": given.token, "ca_file": given.ca_file}
    return client.fetch(method, url, body, patience, content_type=content_type, **credentials)


def within(given: argparse.Namespace, *parts: str) -> str:
    """The path in the admin API of something in the sandbox that the options name."""
    return path("sandboxes", given.sandbox, *parts)


def path(*parts: str) -> str:
    """A path in the admin API."""
    from urllib.parse import quote

    # As bytes came in from a shell, so they go out.
    return "/_emulator/api/" + "/".join(quote(one, safe="", errors="surrogateescape") for one in parts)


def query(values: Mapping[str, Any]) -> str:
    """A query of what is not None, with its question mark."""
    from urllib.parse import urlencode

    given = given_members(values)
    return f"?{urlencode(given, errors='surrogateescape')}" if given else ""


def tell(given: argparse.Namespace, answer: tuple[int, bytes], show: Show) -> int:
    """Print an answer, as JSON where that is asked for; the exit code."""
    status, content = answer
    if not 200 <= status < 300:
        return refused(given, answer)
    if given.json:
        print(content.decode(errors="replace"), end="\n" if content else "")
        return 0
    try:
        lines = list(show(json.loads(content) if content else None))
    except (LookupError, TypeError, ValueError, AttributeError):
        return fail(f"{given.url} answers in a form that this command does not know; --json prints it")
    for line in lines:
        print(line)
    return 0


def refused(given: argparse.Namespace, answer: tuple[int, bytes]) -> int:
    """Say why there is no answer, in the emulator's own words where it gave any; the exit code."""
    status, content = answer
    reason = content.decode(errors="replace")
    if status == 0:
        return fail(f"{given.url} does not answer: {reason}")
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        reason = json.loads(reason)["message"].partition("\r\n")[0]
    return fail(reason or f"{given.url} answers {status}")


def read(file: str) -> bytes:
    """What a file holds, `-` being standard input. A file that cannot be read ends the command."""
    from pathlib import Path

    try:
        if file == "-":
            return sys.stdin.buffer.read()
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise SystemExit(fail(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}")) from None


def write(file: str, content: bytes) -> None:
    """Write bytes to a file, `-` being standard output. A file that cannot be written ends the command."""
    from pathlib import Path

    try:
        if file == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            Path(file).write_bytes(content)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise SystemExit(fail(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}")) from None


def given_members(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of some members was given at all."""
    return {name: value for name, value in values.items() if value is not None}


def fail(reason: str) -> int:
    """Say in one line what went wrong; the exit code."""
    print(f"outlook-emulator: {text.cell(' '.join(reason.split()))}", file=sys.stderr)
    return 1
