"""Calls to the admin API of one sandbox, and what becomes of those it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

ROOT = "/_emulator/api"
"""Where the admin API starts."""
_PATIENCE = 60.0
"""Seconds for one call: a clock that is moved waits for whoever is called back on the way."""


class Refused(RuntimeError):
    """A call to the admin API that did not succeed. `status` is its answer's, `body` what that held."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.body = _body(answer)
        super().__init__(f"The emulator answered {self.status} to {method} {path}: {_reason(self.body)}")


class Admin:
    """Speaks to the admin API below one path, with the token that the server may demand. `close` it."""

    def __init__(self, url: str, path: str, transport: httpx.BaseTransport, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.path = path
        self._root = f"{url}{ROOT}{path}"
        self.http = httpx.Client(
            base_url=self._root, headers=headers, transport=transport, trust_env=False, timeout=_PATIENCE
        )

    def ask(self, method: str, path: str = "", **what: Any) -> Any:
        """The JSON of an answer that must be a success, None where it has no body. Raises Refused."""
        answer = self.send(method, path, **what)
        return answer.json() if answer.content else None

    def send(self, method: str, path: str = "", **what: Any) -> httpx.Response:
        """An answer that must be a success. Raises Refused."""
        # Spelled out: below a base URL, no path at all would become a slash.
        answer = self.http.request(method, f"{self._root}{path}", **what)
        if not answer.is_success:
            raise Refused(method, f"{self.path}{path}", answer)
        return answer

    def close(self) -> None:
        self.http.close()


def below(*parts: str) -> str:
    """A path of these parts, each of which may hold anything."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, as members of a body: without what was left open, and in the API's spelling."""
    return {camel(name): value for name, value in values.items() if value is not None}


def camel(name: str) -> str:
    """`retry_after` as the admin API writes it: `retryAfter`. A keyword's trailing underscore goes."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def instant(when: str | datetime) -> str:
    """An instant as the admin API reads it; a time without a zone is UTC."""
    if isinstance(when, str):
        return when
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat()


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text


def _reason(body: Any) -> str:
    text = str(body.get("message", body)) if isinstance(body, dict) else str(body)
    return text.partition("\r\n")[0]
