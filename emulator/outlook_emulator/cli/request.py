"""One request to the emulator that the options of a command select."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from outlook_emulator import client
from outlook_emulator.cli import progress

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
    """Send a request to the selected emulator: status and body. The status is 0 without a response."""
    credentials = {"token": arguments.token, "ca_file": arguments.ca_file}
    with progress.shown(client.WAITING, progress.BYTES) as shown:
        return client.fetch(
            *(method, f"{arguments.url}{path}", body, timeout),
            content_type=content_type,
            on_transfer=shown.report,
            **credentials,
        )


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
