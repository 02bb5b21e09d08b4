"""What a sandbox saw: every exchange with the connector and every call it made to others, newest thousands only.

Credentials are left out whenever an entry is read, so that no reader can give them away. Counts go on where entries
have to make room.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

RawHeaders = Sequence[tuple[bytes, bytes]]
REDACTED = b"(redacted)"
ANSWERED, UNDER_WAY = "answered", "under way"
_SECRETS = re.compile(rb"auth|cookie|token|secret|password|signature|api-?key|functions-key|subscription-key")
"""What is in the name of a header that lets its bearer in."""
_SECRET = (
    rb"(?:sig|code|token|(?:access|refresh|id)_token|validationtoken|client_secret|password"
    rb"|api[-_]?key|subscription-key)"
)
# An address may stand in JSON, with its letters escaped, or be a value in the query of another one.
_SIGNED = re.compile(
    rb"(?i)((?:\b|(?<=\\u0026))" + _SECRET + rb"(?:=|\\u003D))"
    rb"(?:[^&\s\"'<>\\]|\\/|\\u(?!0026|0022|0027|003[CE])[0-9A-F]{4})+"
    rb"|((?:\b|(?<=%26)|(?<=%3F))" + _SECRET + rb"%3D)(?:(?!%26)[^&\s\"'<>\\])+"
    # Who is named before a host, with a password; and members of JSON whose names can only mean secrets.
    rb"|(://[^/\s:@\"'<>]+:)[^/\s@\"'<>]+(?=@)"
    rb"|(\"(?:sig|(?:access|refresh|id)_token|client_secret|password)\"\s*:\s*\")(?:[^\"\\]|\\.)+"
)


class Cause(NamedTuple):
    """Why an answer is what it is: a `kind` (fault, limit or refusal), which one, and what it says about itself."""

    kind: str
    name: str
    reason: str


class About(NamedTuple):
    """Which operation an exchange is about, both names empty for none of the connector's.

    `creates` says that it makes something new each time it works, `has_connection` that its path begins with one.
    """

    operation: str = ""
    family: str = ""
    creates: bool = False
    has_connection: bool = False


NOTHING_KNOWN = About()


class ExchangeEntry:
    """One exchange. Instants are in microseconds since 1970, by the sandbox's clock (`at`) and the machine's (`real`).

    `took` is in nanoseconds; `started` is a reading of the performance counter. `left` is the instant at which the
    response to a failed request was sent, by the sandbox's clock. `effected` says that the operation did its work,
    whatever the response; `outcome` says how the response left.
    Bodies are cut at the journal's cap, sizes are the whole ones.
    """

    # Not slots: an entry is made for every request, and most of it is as here until the answer is known, or for good.
    took = left = started = 0
    about = NOTHING_KNOWN
    connection = method = ""
    raw_path = query = request_body = response_body = b""
    raw_request_headers: RawHeaders = ()
    raw_response_headers: RawHeaders = ()
    request_size = response_size = request_digest = 0
    status: int | None = None
    outcome = UNDER_WAY
    effected = False
    causes: tuple[Cause, ...] = ()

    def __init__(self, id: int, at: int, real: int) -> None:
        self.id, self.at, self.real = id, at, real

    def add_cause(self, kind: str, name: str, reason: str) -> None:
        """Note what shaped the answer."""
        self.causes = (*self.causes, Cause(kind, name, reason))

    @property
    def kind(self) -> str:
        return "exchange"

    @property
    def operation(self) -> str:
        return self.about.operation

    @property
    def request_headers(self) -> RawHeaders:
        """The request's headers without its credentials."""
        return _without_secrets(self.raw_request_headers)

    @property
    def response_headers(self) -> RawHeaders:
        """The answer's headers without credentials."""
        return _without_secrets(self.raw_response_headers)

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        return next((value.decode("latin-1") for key, value in self.request_headers if key == name), None)

    def answer_header(self, name: bytes) -> str | None:
        """A header of the answer by its lower-case name."""
        return next((value.decode("latin-1") for key, value in self.response_headers if key == name), None)


class DeliveryEntry(NamedTuple):
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


Entry = ExchangeEntry | DeliveryEntry


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

    def open(self, at: int, real: int) -> ExchangeEntry:
        """Begin an entry; what is told of it until it is closed may be seen before."""
        entry = ExchangeEntry(self._next(), at, real)
        self._entries.append(entry)
        return entry

    def close(self, entry: ExchangeEntry, took: int, outcome: str) -> None:
        """End an entry and count it, unless the journal was cleared since it was opened."""
        entry.took, entry.outcome = took, outcome
        if entry.id <= self._cleared:
            return
        self._closed[entry.about.operation, entry.status if outcome == ANSWERED else outcome] += 1
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
            DeliveryEntry(self._next(), at, real, callback, purpose, reference, shown, number, kept, status, error)
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

    def exchanges(self) -> Iterator[ExchangeEntry]:
        return (one for one in self.entries() if isinstance(one, ExchangeEntry))

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


def _without_secrets(headers: RawHeaders) -> RawHeaders:
    """Headers with what would let a reader act in the caller's name taken out; names are in lower case."""
    return [(name, REDACTED if _SECRETS.search(name) else value) for name, value in headers]


def redacted(text: bytes) -> bytes:
    """A query, a URL or a body with the signatures and codes in its addresses taken out."""
    return _SIGNED.sub(rb"\1\2\3\4" + REDACTED, text)
