"""Requests to the admin API of one sandbox, and the error for those that fail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from outlook_emulator.options import camel

if TYPE_CHECKING:
    from outlook_emulator.testing.target import Target

ROOT = "/_emulator/api"
"""The path of the admin API."""
_TIMEOUT = 60.0
"""Seconds for one request; moving a clock waits for the callbacks that fall due on the way."""
_PLAIN = frozenset({"json"})
"""The options of a request that needs no httpx, which takes longer than the server."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~%-]*")


class AdminError(RuntimeError):
    """A request to the admin API failed. `status` and `body` are those of the response."""

    def __init__(self, method: str, path: str, status: int, content: bytes) -> None:
        self.status = status
        self.body = _body(content)
        super().__init__(f"The emulator answered {self.status} to {method} {path}: {_reason(self.body)}")


class Admin:
    """A client of the admin API below one path; close it after use.

    `target` is where the emulator is; `http` is an `httpx.Client` for everything that `request` does not offer.
    """

    def __init__(self, target: Target, path: str, token: str = "") -> None:
        self.path = path
        self.is_closed = False
        self._target = target
        self._path = f"{ROOT}{path}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._json_headers = {**self._headers, "Content-Type": "application/json"}

    @cached_property
    def http(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self._target.url}{self._path}",
            headers=self._headers,
            transport=self._target.transport(),
            trust_env=False,
            timeout=_TIMEOUT,
        )

    def request(self, method: str, path: str = "", **options: Any) -> Any:
        """Send a request and return the JSON of the response, None without a body. Raises AdminError.

        `options` are those of `httpx.Client.request`.
        """
        if options.keys() <= _PLAIN and _PLAIN_PATH.fullmatch(path) and not self.is_closed:
            status, content = self._exchange(method, path, options.get("json"))
            if not 200 <= status < 300:
                raise AdminError(method, f"{self.path}{path}", status, content)
        else:
            content = self.send(method, path, **options).content
        return json.loads(content) if content else None

    def send(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        """Send a request and return the response. Raises AdminError unless it is a success."""
        if self.is_closed:
            raise RuntimeError(f"the client of {self._path} was closed")
        # The whole URL, because httpx would add a slash to the base URL for an empty path.
        response = self.http.request(method, f"{self._target.url}{self._path}{path}", **options)
        if not response.is_success:
            raise AdminError(method, f"{self.path}{path}", response.status_code, response.content)
        return response

    def close(self) -> None:
        self.is_closed = True
        if "http" in self.__dict__:
            self.http.close()

    def _exchange(self, method: str, path: str, value: Any) -> tuple[int, bytes]:
        """Send a request with a JSON value as its body, None for no body."""
        if value is None:
            return self._target.exchange(method, f"{self._path}{path}", self._headers, None, _TIMEOUT)
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        return self._target.exchange(method, f"{self._path}{path}", self._json_headers, body, _TIMEOUT)


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


def _body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _reason(body: Any) -> str:
    if not isinstance(body, dict):
        return str(body)
    # Only `originalMessage` says which folder, mailbox or id is meant.
    text = body.get("error", {}).get("originalMessage") or str(body.get("message", body)).partition("\r\n")[0]
    return str(text)
