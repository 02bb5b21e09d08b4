"""One request to the emulator that the options of a command select."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import output, progress

_SANDBOX = re.compile(r"/_emulator/api/sandboxes/[^/?]+")
_TIMEOUT = 70.0
"""Seconds to wait for a response; longer than the admin API lets a `wait` request last."""


def send(
    arguments: argparse.Namespace,
    method: str,
    path: str,
    body: object = None,
    *,
    content_type: str = client.JSON,
    timeout: float = _TIMEOUT,
) -> tuple[int, bytes]:
    """Send a request to the selected emulator: status and body. The status is 0 without a response.

    Of several emulators, it goes to the one that has the sandbox in the path. Raises SystemExit if none has it, or
    several have.
    """
    if len(servers(arguments)) > 1 and (sandbox := _SANDBOX.match(path)):
        arguments.urls = [_server_of(arguments, method, sandbox[0], path)]
        arguments.url = arguments.urls[0]
    credentials = {"token": arguments.token, "ca_file": arguments.ca_file}
    with progress.shown(client.WAITING, progress.BYTES) as shown:
        return client.fetch(
            *(method, f"{arguments.url}{path}", body, timeout),
            content_type=content_type,
            on_transfer=shown.report,
            **credentials,
        )


def servers(arguments: argparse.Namespace) -> list[str]:
    """The URLs of the selected emulators."""
    return getattr(arguments, "urls", None) or [arguments.url]


def at(arguments: argparse.Namespace, url: str) -> argparse.Namespace:
    """The same arguments for one of several emulators."""
    return argparse.Namespace(**{**vars(arguments), "url": url, "urls": [url]})


def _server_of(arguments: argparse.Namespace, method: str, sandbox: str, path: str) -> str:
    """The URL of the emulator that has a sandbox, by its path. Raises SystemExit."""
    if method == "PUT" and path == sandbox:
        raise SystemExit(output.fail("a new sandbox needs a single --url, that of its server or of a proxy"))
    name = sandbox.rpartition("/")[2]
    owners, silent = [], []
    for url in servers(arguments):
        status, content = send(at(arguments, url), "GET", sandbox)
        if status == 200:
            owners.append(url)
        elif status != 404:
            output.print_error(at(arguments, url), (status, content))
            silent.append(url)
    # Every server has a default sandbox, also one that does not respond.
    if len(owners) == 1 and not (silent and name == "default"):
        return owners[0]
    problem = f"the sandbox '{name}' is on {' and '.join(owners) or 'none of them'}"
    if silent:
        problem += f", as far as {'they respond' if len(silent) > 1 else 'the others respond'}"
    raise SystemExit(output.fail(f"{problem}; select one emulator with --url"))


def sandbox_path(arguments: argparse.Namespace, *parts: str) -> str:
    """A path of the admin API below the selected sandbox."""
    return path("sandboxes", arguments.sandbox, *parts)


def path(*parts: str) -> str:
    """A path of the admin API, with each part escaped."""
    from urllib.parse import quote

    # The shell's bytes are kept as they are, even where they are not valid text.
    return "/_emulator/api/" + "/".join(quote(part, safe="", errors="surrogateescape") for part in parts)


def query(values: Mapping[str, Any]) -> str:
    """A query string with its question mark; without the values that are None."""
    from urllib.parse import urlencode

    parameters = without_none(values)
    return f"?{urlencode(parameters, errors='surrogateescape')}" if parameters else ""


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not None, as a JSON object to send."""
    return {name: value for name, value in values.items() if value is not None}
