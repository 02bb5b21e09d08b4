"""What a sandbox saw: every exchange with the connector and every call it made to others, newest thousands only.

Credentials are left out when an entry is written, so that no reader can give them away. Counts go on where entries
have to make room.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

RawHeaders = Sequence[tuple[bytes, bytes]]
REDACTED = b"(redacted)"
ANSWERED, UNDER_WAY = "answered", "under way"
_SECRETS = frozenset(
    {b"authorization", b"proxy-authorization", b"cookie", b"set-cookie", b"x-api-key", b"ocp-apim-subscription-key"}
)
_SECRET = rb"(?:sig|code|token|access_token|validationtoken)"
# An address may stand in JSON, with its letters escaped, or be a value in the query of another one.
_SIGNED = re.compile(
    rb"(?i)((?:\b|(?<=\\u0026))" + _SECRET + rb"(?:=|\\u003D))"
    rb"(?:[^&\s\"'<>\\]|\\/|\\u(?!0026|0022|0027|003[CE])[0-9A-F]{4})+"
    rb"|((?:\b|(?<=%26)|(?<=%3F))" + _SECRET + rb"%3D)(?:(?!%26)[^&\s\"'<>\\])+"
)


class Cause(NamedTuple):
    """Why an answer is what it is: a `kind` (fault, limit or refusal), which one, and what it says about itself."""

    kind: str
    name: str
    reason: str


class Exchanged:
    """One exchange. Instants are in microseconds since 1970, by the sandbox's clock (`at`) and the machine's (`real`).

    `took` is in nanoseconds. `effected` says that the operation did its work, whatever the caller was told;
    `outcome` how the answer left. Bodies are cut at the journal's cap, sizes are the whole ones.
    """

    __slots__ = (
        "at",
        "causes",
        "connection",
        "creates",
        "effected",
        "family",
        "has_connection",
        "id",
        "method",
        "operation",
        "outcome",
        "query",
        "raw_path",
        "real",
        "request_body",
        "request_digest",
        "request_headers",
        "request_size",
        "response_body",
        "response_headers",
        "response_size",
        "status",
        "took",
    )

    def __init__(self, id: int, at: int, real: int) -> None:
        self.id, self.at, self.real = id, at, real
        self.took = 0
        self.connection = self.operation = self.family = self.method = ""
        self.raw_path = self.query = self.request_body = self.response_body = b""
        self.request_headers: RawHeaders = ()
        self.response_headers: RawHeaders = ()
        self.request_size = self.response_size = self.request_digest = 0
        self.status: int | None = None
        self.causes: list[Cause] = []
        self.outcome = UNDER_WAY
        self.effected = self.creates = self.has_connection = False

    @property
    def kind(self) -> str:
        return "exchange"

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        return next((value.decode("latin-1") for key, value in self.request_headers if key == name), None)

    def answer_header(self, name: bytes) -> str | None:
        """A header of the answer by its lower-case name."""
        return next((value.decode("latin-1") for key, value in self.response_headers if key == name), None)


class Delivered(NamedTuple):
    """One attempt to call somebody else, and how it ended: with a `status`, or with an `error`.

    `number` counts the attempts of one callback, which `callback` names in the sandbox's list of them.
    """

    id: int
    at: int
    real: int
    callback: int
    purpose: str
    reference: str
    url: str
    number: int
    body: bytes
    status: int | None
    error: str | None

    @property
    def kind(self) -> str:
        return "delivery"


Entry = Exchanged | Delivered


class Journal:
    """The entries of a sandbox, oldest first. Lives as long as the sandbox; a reset clears it.

    `cap` is how many are kept, 0 none; `body_bytes` how much of a body is.
    """

    def __init__(self, cap: int, body_bytes: int) -> None:
        self.body_bytes = body_bytes
        self._entries: deque[Entry] = deque(maxlen=cap)
        self._begin()

    @property
    def cap(self) -> int:
        return self._entries.maxlen or 0

    @property
    def dropped(self) -> int:
        """How many entries had to make room."""
        return self.total - len(self._entries)

    def open(self, at: int, real: int) -> Exchanged:
        """Begin an entry; what is told of it until it is closed may be seen before."""
        entry = Exchanged(self._next(), at, real)
        self._entries.append(entry)
        return entry

    def close(self, entry: Exchanged, took: int, outcome: str) -> None:
        """End an entry and count it, unless the journal was cleared since it was opened."""
        entry.took, entry.outcome = took, outcome
        if entry.id <= self._cleared:
            return
        self._closed[entry.operation, entry.status if outcome == ANSWERED else outcome] += 1
        for cause in entry.causes:
            self.causes[cause.kind, cause.name] += 1

    def deliver(
        self,
        at: int,
        real: int,
        *,
        callback: int,
        purpose: str,
        reference: str,
        url: str,
        number: int,
        body: bytes,
        status: int | None,
        error: str | None,
    ) -> None:
        """Note an attempt to call somebody."""
        shown = redacted(url.encode()).decode()
        kept = body[: self.body_bytes]
        self._entries.append(
            Delivered(self._next(), at, real, callback, purpose, reference, shown, number, kept, status, error)
        )
        self.deliveries += 1

    @property
    def operations(self) -> Counter[str]:
        """How many exchanges ended, by operation."""
        counted: Counter[str] = Counter()
        for (operation, _), times in self._closed.items():
            counted[operation] += times
        return counted

    @property
    def statuses(self) -> Counter[int | str | None]:
        """How many exchanges ended, by status, or by how the answer left where it did not arrive."""
        counted: Counter[int | str | None] = Counter()
        for (_, status), times in self._closed.items():
            counted[status] += times
        return counted

    def entries(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def exchanges(self) -> Iterator[Exchanged]:
        return (one for one in self.entries() if isinstance(one, Exchanged))

    def keep(self, cap: int) -> None:
        """Keep so many entries from now on, of those that are there the newest."""
        self._entries = deque(self._entries, maxlen=cap)

    def clear(self) -> None:
        """Forget everything; entries that are open are seen no more. Numbers go on, so that none comes twice."""
        self._entries.clear()
        self._begin(self._last)

    def _begin(self, last: int = 0) -> None:
        self._last = self._cleared = last
        self.deliveries = 0
        # One number a request, and no Counter, since adding to one takes twice as long.
        self._closed: defaultdict[tuple[str, int | str | None], int] = defaultdict(int)
        self.causes: Counter[tuple[str, str]] = Counter()

    @property
    def total(self) -> int:
        """How many entries were written since the journal was cleared."""
        return self._last - self._cleared

    def _next(self) -> int:
        self._last += 1
        return self._last


def without_secrets(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Headers with what would let a reader act in the caller's name taken out; names are in lower case."""
    return [(header[0], REDACTED) if header[0] in _SECRETS else header for header in headers]


def redacted(text: bytes) -> bytes:
    """A query, a URL or a body with the signatures and codes in its addresses taken out."""
    return _SIGNED.sub(rb"\1\2" + REDACTED, text)
