"""Requests to the admin API of one sandbox, and the error for those that fail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from outlook_emulator.options import camel

ROOT = "/_emulator/api"
"""The path of the admin API."""
_TIMEOUT = 60.0
"""Seconds for one request; moving a clock waits for the callbacks that fall due on the way."""


class AdminError(RuntimeError):
    """A request to the admin API failed. `status` and `body` are those of the response."""

    def __init__(self, method: str, path: str, response: httpx.Response) -> None:
        self.status = response.status_code
        self.body = _body(response)
        super().__init__(f"The emulator answered {self.status} to {method} {path}: {_reason(self.body)}")


class Admin:
    """A client of the admin API below one path; close it after use."""

    def __init__(self, url: str, path: str, transport: httpx.BaseTransport, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.path = path
        self._root = f"{url}{ROOT}{path}"
        self.http = httpx.Client(
            base_url=self._root, headers=headers, transport=transport, trust_env=False, timeout=_TIMEOUT
        )

    def request(self, method: str, path: str = "", **options: Any) -> Any:
        """Send a request and return the JSON of the response, None without a body. Raises AdminError."""
        response = self.send(method, path, **options)
        return response.json() if response.content else None

    def send(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        """Send a request and return the response. Raises AdminError unless it is a success."""
        # The whole URL, because httpx would add a slash to the base URL for an empty path.
        response = self.http.request(method, f"{self._root}{path}", **options)
        if not response.is_success:
            raise AdminError(method, f"{self.path}{path}", response)
        return response

    def close(self) -> None:
        self.http.close()


def path_of(*parts: str) -> str:
    """A path with each part escaped."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def json_object(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments as members of a JSON object, without those that are None."""
    return {camel(name): value for name, value in values.items() if value is not None}


def instant(when: str | datetime) -> str:
    """An instant as the admin API reads it; a datetime without a time zone is UTC."""
    if isinstance(when, str):
        return when
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat()


def plain(value: Any) -> Any:
    """A value as JSON has it: datetimes as texts, tuples as lists."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _reason(body: Any) -> str:
    if not isinstance(body, dict):
        return str(body)
    # Only `originalMessage` says which folder, mailbox or id is meant.
    text = body.get("error", {}).get("originalMessage") or str(body.get("message", body)).partition("\r\n")[0]
    return str(text)
