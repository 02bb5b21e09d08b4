"""What the commands that ask a running emulator share: their options, one call, and what is said of the answer."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress

from emulator import client

_PATIENCE = 70.0
"""Seconds for an answer: as long as the admin API lets a caller wait, and some more."""


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
    from urllib.parse import quote

    names = ("sandboxes", given.sandbox, *parts)
    # As bytes came in from a shell, so they go out.
    return "/_emulator/api/" + "/".join(quote(one, safe="", errors="surrogateescape") for one in names)


def report(given: argparse.Namespace, answer: tuple[int, bytes]) -> int:
    """Print what an answer says; the exit code."""
    status, content = answer
    if not 200 <= status < 300:
        return refused(given, answer)
    print(content.decode())
    return 0


def refused(given: argparse.Namespace, answer: tuple[int, bytes]) -> int:
    """Say why there is no answer, in the emulator's own words where it gave any; the exit code."""
    status, content = answer
    text = content.decode(errors="replace")
    if status == 0:
        return fail(f"{given.url} does not answer: {text}")
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        text = json.loads(text)["message"].partition("\r\n")[0]
    return fail(text or f"{given.url} answers {status}")


def fail(text: str) -> int:
    """Say in one line what went wrong; the exit code."""
    print(f"outlook-emulator: {' '.join(text.split())}", file=sys.stderr)
    return 1
