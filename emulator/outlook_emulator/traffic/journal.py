"""The journal of a sandbox: its newest exchanges with callers, deliveries to callback URLs, and imports of files.

Credentials are removed when an entry is read, so that no reader can reveal them. The counts include dropped entries.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple

from outlook_emulator.traffic.fault_plan import Break
from outlook_emulator.traffic.secrets import RawHeaders, redacted, without_secrets

CauseKind = Literal["fault", "limit", "refusal", "warning"]
EntryKind = Literal["exchange", "delivery", "import"]
Outcome = Literal["answered", "under way", "lost"] | Break
"""How a response left. `lost` is a response that could not be sent."""
ANSWERED: Final = "answered"
UNDER_WAY: Final = "under way"
LOST: Final = "lost"
NOT_KEPT: Final = 0
"""The id of an entry that is in no journal."""
_REASONS = 10
_LONGEST_REASON = 500


class Cause(NamedTuple):
    """What shaped a response: a fault rule, a limit, an error or a warning, by name, and the reason."""

    kind: CauseKind
    name: str
    reason: str


class About(NamedTuple):
    """The operation of an exchange; both names are empty if the connector has no such operation.

    `creates`: each run of the operation makes something new. `has_connection`: its path begins with a connection id.
    """

    operation: str = ""
    family: str = ""
    creates: bool = False
    has_connection: bool = False


UNKNOWN_OPERATION = About()


class ExchangeEntry:
    """One exchange. Instants are in microseconds since 1970, by the sandbox's clock (`at`) and the machine's (`real`).

    `took` is in nanoseconds; `started` is a reading of the performance counter. `left` is the instant at which the
    response to a failed request was sent, by the sandbox's clock. `effected` says that the operation did its work,
    whatever the response; `outcome` says how the response left.
    Bodies are cut at the journal's cap, sizes are the whole ones; `kept_bytes` is what the entry takes in memory.
    """

    # Not slots: an entry is made for every request, and most of it is as here until the answer is known, or for good.
    took = left = started = 0
    about = UNKNOWN_OPERATION
    connection = method = ""
    raw_path = query = request_body = response_body = b""
    raw_request_headers: RawHeaders = ()
    raw_response_headers: RawHeaders = ()
    request_size = response_size = request_digest = 0
    status: int | None = None
    outcome: Outcome = UNDER_WAY
    effected = False
    causes: tuple[Cause, ...] = ()
    kept_bytes = 0

    def __init__(self, id: int, at: int, real: int) -> None:
        self.id, self.at, self.real = id, at, real

    def add_cause(self, kind: CauseKind, name: str, reason: str) -> None:
        """Record what shaped the response."""
        self.causes = (*self.causes, Cause(kind, name, reason))

    @property
    def kind(self) -> EntryKind:
        return "exchange"

    @property
    def operation(self) -> str:
        return self.about.operation

    @property
    def request_headers(self) -> RawHeaders:
        """The request headers without credentials."""
        return without_secrets(self.raw_request_headers)

    @property
    def response_headers(self) -> RawHeaders:
        """The response headers without credentials."""
        return without_secrets(self.raw_response_headers)

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        return _header(self.raw_request_headers, name)

    def response_header(self, name: bytes) -> str | None:
        """A response header by its lower-case name."""
        return _header(self.raw_response_headers, name)


def _header(headers: RawHeaders, name: bytes) -> str | None:
    """The first header with a name, without a credential."""
    first = next((header for header in headers if header[0] == name), None)
    return None if first is None else without_secrets([first])[0][1].decode("latin-1")


class DeliveryEntry(NamedTuple):
    """One attempt to deliver a callback, with its `status`, or an `error` without a response.

    `callback` is the id of the callback, `number` counts its attempts.
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
    def kind(self) -> EntryKind:
        return "delivery"

    @property
    def kept_bytes(self) -> int:
        return len(self.body) + len(self.url)


class ImportEntry(NamedTuple):
    """An import of a file, or of a sample mailbox of which parts were left out.

    `place` is the folder, or the sample. `imported` and `skipped` are numbers of items, `reasons` tells of the first
    that were left out. The `status` is 400 if nothing was imported for them.
    """

    id: int
    at: int
    real: int
    connection: str
    place: str
    status: int
    imported: int
    skipped: int
    reasons: tuple[str, ...]

    @property
    def kind(self) -> EntryKind:
        return "import"

    @property
    def kept_bytes(self) -> int:
        return sum(map(len, self.reasons))


Entry = ExchangeEntry | DeliveryEntry | ImportEntry


class Journal:
    """The entries of a sandbox, oldest first. Lives as long as the sandbox; a reset clears it.

    `cap` is the number of entries to keep, 0 for none; `body_bytes` limits each body, and `most_bytes` all bodies and
    headers together, 0 for no limit.
    """

    def __init__(self, cap: int, body_bytes: int, most_bytes: int = 0) -> None:
        self.body_bytes, self.most_bytes = body_bytes, most_bytes
        self._entries: deque[Entry] = deque(maxlen=cap)
        self._begin()

    @property
    def cap(self) -> int:
        return self._entries.maxlen or 0

    @property
    def dropped(self) -> int:
        """The number of entries that were dropped to make room."""
        return self.total - len(self._entries)

    def open(self, at: int, real: int) -> ExchangeEntry:
        """Start an entry. Readers see it before it is closed."""
        entry = ExchangeEntry(self._next(), at, real)
        self._append(entry)
        return entry

    def weigh(self, entry: ExchangeEntry, size: int) -> None:
        """Count the bytes that an open entry takes, and drop the oldest entries if all take too many."""
        if entry.id > self._last - len(self._entries):
            self._bytes += size - entry.kept_bytes
            entry.kept_bytes = size
            if self._bytes > self.most_bytes:
                self._drop()

    def close(self, entry: ExchangeEntry, took: int, outcome: Outcome) -> None:
        """Finish an entry and count it, unless the journal was cleared in the meantime."""
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
    ) -> DeliveryEntry:
        """Record an attempt to deliver a callback."""
        shown = redacted(url)
        kept = body[: self.body_bytes]
        entry = DeliveryEntry(self._next(), at, real, callback, purpose, reference, shown, number, kept, status, error)
        self._append(entry)
        self.deliveries += 1
        return entry

    def add_import(
        self, at: int, real: int, *, connection: str, place: str, status: int, imported: int, skipped: Sequence[str]
    ) -> ImportEntry:
        """Record an import; of `skipped`, the journal keeps the number and the first ten."""
        reasons = tuple(text[:_LONGEST_REASON] for text in skipped[:_REASONS])
        entry = ImportEntry(self._next(), at, real, connection, place, status, imported, len(skipped), reasons)
        self._append(entry)
        self.imports += 1
        return entry

    @property
    def operations(self) -> Counter[str]:
        """The number of finished exchanges by operation."""
        counted: Counter[str] = Counter()
        for (operation, _), times in self._closed.items():
            counted[operation] += times
        return counted

    @property
    def statuses(self) -> Counter[int | str | None]:
        """The number of finished exchanges by status, or by outcome where the response did not arrive."""
        counted: Counter[int | str | None] = Counter()
        for (_, status), times in self._closed.items():
            counted[status] += times
        return counted

    def entries(self) -> Iterator[Entry]:
        # A copy, since requests may arrive while a reader goes through the entries.
        return iter(list(self._entries))

    def newest(self, count: int, before: int | None = None) -> list[Entry]:
        """The newest entries, or those before an id, newest first; it looks at no others."""
        newest: list[Entry] = []
        for entry in reversed(self._entries):
            if len(newest) == count:
                break
            if before is None or entry.id < before:
                newest.append(entry)
        return newest

    def entry(self, id: int) -> Entry | None:
        """The entry with an id, None if it is not kept."""
        # By its place, since ids are consecutive: a search would take long in a journal of 100,000.
        place = id - self._last - 1 + len(self._entries)
        return self._entries[place] if 0 <= place < len(self._entries) and self._entries[place].id == id else None

    def around(self, id: int, distance: int) -> list[Entry]:
        """The entries whose ids are at most so far from an id, oldest first."""
        place = id - self._last - 1 + len(self._entries)
        return list(islice(self._entries, max(place - distance, 0), max(place + distance + 1, 0)))

    def exchanges(self) -> Iterator[ExchangeEntry]:
        return (entry for entry in self.entries() if isinstance(entry, ExchangeEntry))

    def keep(self, cap: int) -> None:
        """Keep at most `cap` entries from now on, the newest."""
        # A new queue, as the length of a deque is fixed when it is made.
        self._entries = deque(self._entries, maxlen=cap)
        self._bytes = sum(entry.kept_bytes for entry in self._entries)

    def clear(self) -> None:
        """Remove all entries, open ones included. Ids go on, so that no id is used twice."""
        self._entries.clear()
        self._begin(self._last)

    def _begin(self, last: int = 0) -> None:
        self._last = self._cleared = last
        self.deliveries = self.imports = self._bytes = 0
        # A single key for each request, and no Counter: adding to a Counter takes twice as long.
        self._closed: defaultdict[tuple[str, int | str | None], int] = defaultdict(int)
        self.causes: Counter[tuple[str, str]] = Counter()

    @property
    def total(self) -> int:
        """The number of entries since the journal was cleared."""
        return self._last - self._cleared

    def _append(self, entry: Entry) -> None:
        entries = self._entries
        if len(entries) == entries.maxlen and entries:
            self._bytes -= entries[0].kept_bytes
        entries.append(entry)
        if kept_bytes := entry.kept_bytes:
            self._bytes += kept_bytes
            self._drop()

    def _drop(self) -> None:
        """Drop the oldest entries, but not the newest one, until the others take no more than they may."""
        while self._bytes > self.most_bytes > 0 and len(self._entries) > 1:
            self._bytes -= self._entries.popleft().kept_bytes

    def _next(self) -> int:
        self._last += 1
        return self._last
