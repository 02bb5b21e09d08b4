"""One request and its response, as they were on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its response. `operation` is the operation's id, None for a request that fits none.

    `started` is the POSIX time of the request and `seconds` how long the response took.
    """

    operation: str | None
    method: str
    url: str
    request_headers: httpx.Headers
    request_body: bytes
    status: int
    headers: httpx.Headers
    body: bytes
    started: float
    seconds: float

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, None for an empty one. Raises ValueError."""
        return json.loads(self.body) if self.body else None

    def __str__(self) -> str:
        return f"{self.method} {self.url} -> {self.status} {self.body[:500].decode('utf-8', 'replace')}"
