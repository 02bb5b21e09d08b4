"""One mailbox of a target, as a check uses it: calls by operation, comparisons, waiting and cleaning up."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from outlook_contract.drift import Drift, explained
from outlook_contract.exchange import Exchange
from outlook_contract.routes import Route, fill, routes
from outlook_contract.shapes import problems
from outlook_contract.targets import Party, TargetError
from outlook_contract.transport import CarefulTransport, Pace

if TYPE_CHECKING:
    from outlook_contract.microsoft import MicrosoftClient

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between looks for something that takes time, the last one for all further looks."""
FOLDERS = ("Inbox", "JunkEmail", "SentItems", "Drafts", "Archive", "DeletedItems")
"""The folders in which a run may leave mails."""
CALENDAR, CONTACTS = "Calendar", "Contacts"
_NOT_FOUND = 404
_HINTS: Mapping[int, str] = {
    401: " Is the key or the token right? A token expires, often after an hour.",
    403: " May this key or token use this connection?",
    404: " A runtime URL has the form https://HOST/apim/outlook/ID.",
}
"""What to look at when a connection refuses the test request."""
_PAGE = 250
"""How many events or contacts are asked for at a time."""


class Unexpected(AssertionError):
    """A target answered so differently that the check cannot go on."""


class Report:
    """Collects the drift that checks find. `check` is the name of the check that runs.

    `statuses` holds the statuses that each operation had, `requests` how many requests each check sent, and `cases` how
    many requests or sequences each check generated. With `named_only`, an emulator is excused only by a deviation that
    a check names.
    """

    def __init__(self) -> None:
        self.on_emulator = False
        self.named_only = False
        self.drifts: list[Drift] = []
        self.check = ""
        self.statuses: dict[str, set[int]] = {}
        self.requests: Counter[str] = Counter()
        self.cases: Counter[str] = Counter()

    def add(self, operation: str, member: str, expected: str, seen: str, *, known: str = "") -> Drift:
        """Record a difference; `known` names the deviation that explains it, where the member does not tell."""
        drift = Drift(operation, member, expected, seen, self.check)
        drift = explained(drift, on_emulator=self.on_emulator, named_only=self.named_only, known=known)
        self.drifts.append(drift)
        return drift

    def new(self, check: str) -> list[Drift]:
        """The unexplained differences that a check found."""
        return [drift for drift in self.drifts if drift.check == check and drift.is_new]


class Mailbox:
    """One mailbox. Everything that a run creates in it carries `marker`, and `clean_up` removes it."""

    def __init__(
        self,
        party: Party,
        marker: str,
        pace: Pace,
        report: Report,
        *,
        microsoft: bool,
        read_only: bool,
        patience: float,
    ) -> None:
        self.address = party.address
        self.url = party.access.url
        self.report = report
        self.marker = marker
        self.transport = CarefulTransport(party.transport(), party.access, pace, read_only=read_only)
        self.transport.on_exchange = self._watch
        self.http = httpx.Client(base_url=self.url, transport=self.transport, timeout=90, trust_env=False)
        self._microsoft = _microsoft_client(self.url, self.http) if microsoft else None
        self._patience = patience
        self._subscriptions: list[str] = []

    def check(self) -> None:
        """Raise TargetError unless the connection can be reached and lets us in."""
        try:
            exchange = self.call("TestConnection")
        except httpx.HTTPError as error:
            raise TargetError(f"Nothing responds at {self.url}: {error}") from error
        if not exchange.is_success:
            reason = _message(exchange).partition("\r\n")[0].partition("\n")[0]
            hint = _HINTS.get(exchange.status, "")
            raise TargetError(f"{self.url} refuses the test request with {exchange.status}: {reason}{hint}")

    # --- Calls ---

    def call(self, operation: str, body: Any = None, /, **parameters: Any) -> Exchange:
        """Call an operation and return the exchange, whatever its status.

        Parameters have the names of the definition; those that start with `$` are given without it. The request goes
        through Microsoft's client if that covers the operation and the parameters, else straight over HTTP.
        """
        route = routes()[operation]
        named = {_declared(route, name): value for name, value in parameters.items() if value is not None}
        count = len(self.transport.exchanges)
        if self._microsoft is not None and self._microsoft.covers(operation, named, body):
            self._microsoft.call(operation, _escaped(route, named), body)
        else:
            self._send(route, named, body)
        return self.transport.exchanges[max(count, len(self.transport.exchanges) - 1)]

    def ok(self, operation: str, body: Any = None, /, **parameters: Any) -> Any:
        """Call an operation that must succeed, and return its JSON. Raises Unexpected."""
        exchange = self.call(operation, body, **parameters)
        if not exchange.is_success:
            self.report.add(operation, "status", "success", f"{exchange.status} {_message(exchange)}")
            raise Unexpected(str(exchange))
        return exchange.json() if "json" in exchange.headers.get("content-type", "") else None

    def refused(
        self, operation: str, status: int, body: Any = None, /, *, code: str = "", **parameters: Any
    ) -> Exchange:
        """Call an operation that must be refused with a status, and with an error code if one is named."""
        exchange = self.call(operation, body, **parameters)
        self.equal(operation, "status", exchange.status, status)
        if code and exchange.status == status:
            error = exchange.json().get("error") or {}
            self.equal(operation, "error.code", error.get("code"), code)
        return exchange

    def raw(self, method: str, path: str, **options: Any) -> Exchange:
        """Send any request below the runtime URL. The header `Authorization: none` sends it without a credential."""
        self.http.request(method, f"{self.url}{path}", **options)
        return self.transport.exchanges[-1]

    def follow(self, url: str, method: str = "GET", body: Any = None) -> Exchange:
        """Send a request to the URL that a response named in `Location`, always at the host of the connection."""
        path = httpx.URL(url).raw_path.decode("ascii")
        content = {} if body is None else {"json": body}
        self.http.request(method, str(httpx.URL(self.url).join("/")).rstrip("/") + path, **content)
        return self.transport.exchanges[-1]

    def open(self, url: str, method: str = "GET") -> Exchange:
        """Open a link of a mail as a browser does, without a credential."""
        self.http.request(method, url, headers={"Authorization": "none"})
        return self.transport.exchanges[-1]

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Send every request straight over HTTP for as long as the block lasts, whatever Microsoft's client covers."""
        client, self._microsoft = self._microsoft, None
        try:
            yield
        finally:
            self._microsoft = client

    # --- Comparisons ---

    def equal(self, operation: str, member: str, seen: Any, expected: Any, *, known: str = "") -> bool:
        """Record drift unless a value is the expected one; `known` names the deviation that would explain it."""
        if seen == expected and type(seen) is type(expected):
            return True
        self.report.add(operation, member, _shown(expected), _shown(seen), known=known)
        return False

    def holds(self, operation: str, member: str, seen: Any, expected: str, holds: bool, *, known: str = "") -> bool:
        """Record drift unless a statement about a value is true; `expected` says the statement in words."""
        if not holds:
            self.report.add(operation, member, expected, _shown(seen), known=known)
        return holds

    def members(self, operation: str, path: str, seen: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        """Record drift for each member that differs from the expected one; other members are not compared."""
        for name, value in expected.items():
            self.equal(operation, f"{path}.{name}" if path else name, seen.get(name, "(missing)"), value)

    # --- What takes time ---

    def name(self, text: str) -> str:
        """A text for a subject or a name, with the marker of the run."""
        return f"{text} {self.marker}"

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        """Look until there is something, and return it. Raises Unexpected after the patience of the run."""
        end = time.monotonic() + self._patience
        for pause in _pauses():
            time.sleep(pause)
            if result := look():
                return result
            if self._patience == 0 or time.monotonic() >= end:
                break
        raise Unexpected(f"{what} did not appear within {self._patience} seconds")

    def mail(self, subject: str, folder: str = "Inbox", **parameters: Any) -> Any:
        """The newest mail with this subject, as Get emails (V2) lists it, once it is there. Raises Unexpected."""
        return self.until(
            f"A mail with the subject {subject!r} in {folder}", lambda: self.find(subject, folder, **parameters)
        )

    def find(self, subject: str, folder: str = "Inbox", **parameters: Any) -> Any:
        """The newest mail with this subject, or None."""
        query = {"fetchOnlyUnread": False, "includeAttachments": False, "top": 50, **parameters}
        mails = self.ok("GetEmailsV2", folderPath=folder, **query)["value"]
        return next((mail for mail in mails if mail["Subject"] == subject), None)

    def to_self(self, text: str, **members: Any) -> Any:
        """Send a mail to the own address with Send email (V2), and return it as Get emails (V2) lists it.

        Its subject is `text` with the marker. The check that calls this needs the fixture `own_address`.
        """
        subject = self.name(text)
        self.ok("SendEmailV2", {"To": self.address, "Subject": subject, "Body": "<p>Hello</p>", **members})
        return self.mail(subject)

    # --- Cleaning up ---

    def remember_subscription(self, location: str) -> None:
        """Delete a subscription at the end, at the URL that its creation named in `Location`."""
        self._subscriptions.append(location)

    @property
    def has_changed(self) -> bool:
        """Whether the run sent a request that may have changed something."""
        return self.transport.has_changed

    def clean_up(self) -> int:
        """Remove everything that carries the marker, and return how much there was.

        Does nothing in a run that only reads. Raises Unexpected if the target does not say what there is.
        """
        if self.transport.read_only:
            return 0
        self.transport.on_exchange = lambda exchange: None
        self.transport.patient = True
        subscriptions, self._subscriptions = self._subscriptions, []
        for location in subscriptions:
            self.follow(location, "DELETE")
        # Deleted meetings send mails, and a deleted mail lies in Deleted Items afterwards, which is last.
        events = self._items("V3CalendarGetItems", CALENDAR, ("Subject",))
        number = self._delete_all("CalendarDeleteItem", "id", events, table=CALENDAR)
        contacts = self._items("ContactGetItems", CONTACTS, ("GivenName", "DisplayName", "Surname", "CompanyName"))
        number += self._delete_all("ContactDeleteItem", "id", contacts, table=CONTACTS)
        for folder in FOLDERS:
            number += self._delete_all("DeleteEmail", "messageId", self._mails(folder))
        return number

    def close(self) -> None:
        self.http.close()

    def _mails(self, folder: str) -> Iterator[str]:
        query = {"fetchOnlyUnread": False, "includeAttachments": False, "top": 250}
        exchange = self.call("GetEmailsV2", folderPath=folder, **query)
        for mail in _listed(exchange):
            if self.marker in (mail.get("Subject") or ""):
                yield mail["Id"]

    def _items(self, operation: str, table: str, members: Sequence[str]) -> Iterator[str]:
        """The ids of events or contacts that carry the marker, page by page: how long a page is, nobody knows."""
        seen = 0
        while page := self._page(operation, table, seen):
            seen += len(page)
            for item in page:
                if any(self.marker in (_member(item, member) or "") for member in members):
                    yield _member(item, "Id")

    def _page(self, operation: str, table: str, seen: int) -> list[dict[str, Any]]:
        exchange = self.call(operation, table=table, top=_PAGE, skip=seen)
        return _listed(exchange)

    def _delete_all(self, operation: str, name: str, ids: Iterator[str], **parameters: Any) -> int:
        # The list is read to its end first, since deleting would move its pages.
        marked = list(ids)
        for id in marked:
            self.call(operation, **{name: id}, **parameters)
        return len(marked)

    # --- One request ---

    def _watch(self, exchange: Exchange) -> None:
        self.report.requests[self.report.check] += 1
        if exchange.operation is None:
            return
        self.report.statuses.setdefault(exchange.operation, set()).add(exchange.status)
        for problem in problems(exchange):
            self.report.add(exchange.operation, *problem)

    def _send(self, route: Route, parameters: Mapping[str, Any], body: Any) -> None:
        query = {name: _text(value) for name, value in parameters.items() if route.parameters[name]["in"] == "query"}
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = None if body is None else json.dumps(body).encode()
        base = self.url.rpartition("/")[0] if route.is_at_root else self.url
        self.http.request(
            route.method, f"{base}{fill(route, parameters)}", params=query, headers=headers, content=content
        )


def _listed(exchange: Exchange) -> list[dict[str, Any]]:
    """The items of a list; none of a folder that the mailbox lacks."""
    if exchange.status == _NOT_FOUND:
        return []
    if not exchange.is_success:
        raise Unexpected(f"{exchange.status} {_message(exchange)}")
    return list((exchange.json() or {}).get("value", ()))


def _microsoft_client(url: str, http: httpx.Client) -> MicrosoftClient:
    # Microsoft's package takes seconds to import.
    from outlook_contract.microsoft import MicrosoftClient

    return MicrosoftClient(url, http)


def _pauses() -> Iterator[float]:
    yield from _PAUSES
    while True:
        yield _PAUSES[-1]


def _declared(route: Route, name: str) -> str:
    """The name of a parameter as the definition has it: `filter` may stand for `$filter`, `from_` for `from`."""
    for candidate in (name, name.rstrip("_"), f"${name}"):
        if candidate in route.parameters:
            return candidate
    raise TypeError(f"{route.id} has no parameter {name}; it has {', '.join(route.parameters)}")


def _escaped(route: Route, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters for Microsoft's client, which does not escape ids in paths."""

    def escaped(name: str, value: Any) -> Any:
        return quote(str(value), safe="") if route.parameters[name]["in"] == "path" else value

    return {name: escaped(name, value) for name, value in parameters.items()}


def _member(item: Mapping[str, Any], name: str) -> Any:
    """A member whose name is capitalized in some versions only."""
    return item.get(name, item.get(name[:1].lower() + name[1:]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _message(exchange: Exchange) -> str:
    try:
        return str(exchange.json().get("message", ""))[:200]
    except (ValueError, AttributeError):
        return exchange.body[:200].decode("utf-8", "replace")
