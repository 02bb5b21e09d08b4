"""Plays a recording against a target, and compares each response with the recorded one."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any
from urllib.parse import urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.likeness import Ids, problems
from outlook_contract.mailbox import Mailbox
from outlook_contract.plugin import ContractRun
from outlook_contract.redaction import OWN_ADDRESS, ids_in
from outlook_contract.routes import operation_of
from outlook_contract.transport import ReadOnly

_SENT_HEADERS = ("content-type", "accept", "accept-language", "prefer", "if-match", "x-ms-operation-context")
"""The headers of a caller that a replay repeats."""
_TITLES = ("Subject", "GivenName", "DisplayName")
"""Members of a request by which a clean-up finds what it made."""
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
_PARTIES = ("mailbox", "partner")
_UNAUTHORIZED = 401
_CREDENTIALS = ("bearer", "key")
"""The schemes of credentials for a connection."""
_CALLBACK = "NotificationUrl"
_NOWHERE = "http://127.0.0.1:9/contract"
"""What an emulator calls in place of a recorded callback: nothing listens there."""
_TRANSIENT: Mapping[int, str] = {
    429: "the limit of the connector answered it",
    502: "the connector was not available",
    503: "the connector was not available",
    504: "the connector was not available",
}
"""Why a request with this recorded status says nothing about the connector."""


class ReplayError(Exception):
    """A recording does not fit a target."""


class Player:
    """Plays recorded exchanges, oldest first, in a run against a target. Differences go to the report of the run.

    `left_out` says how many were not sent, by reason. Raises ReplayError.
    """

    def __init__(self, run: ContractRun, recorded: Sequence[Exchange]) -> None:
        self.left_out: Counter[str] = Counter()
        self.played = 0
        self._run = run
        self._recorded = recorded
        # An emulator's sandbox goes as a whole, so that only a connection needs the marker.
        self._marker = "" if run.target.is_emulator else run.marker
        self._ids = Ids(self._marker)
        self._callbacks: dict[str, str] = {}
        self._brought: set[str] = set()
        self._lacking: set[str] = set()
        self._mailboxes = self._assigned()
        for exchange in recorded:
            self._ids.add_times(exchange.request_body.decode("utf-8", "replace"))

    def play(self, on_request: Callable[[int, int], object] | None = None) -> None:
        """Play the whole recording; `on_request` gets how many requests are done, and how many there are."""
        for number, recorded in enumerate(self._recorded, 1):
            self._run.report.check = f"request {number}"
            reason = self._reason_against(recorded)
            if not reason:
                try:
                    self._play(recorded)
                except ReadOnly:
                    reason = "it would change something"
            if reason:
                self.left_out[reason] += 1
                self._lacking |= _ids_brought(recorded) - self._brought
            else:
                self._brought |= _ids_brought(recorded)
            if on_request is not None:
                on_request(number, len(self._recorded))

    def _reason_against(self, recorded: Exchange) -> str:
        """Why a request cannot be played, empty if it can."""
        if recorded.status in _TRANSIENT:
            return _TRANSIENT[recorded.status]
        if recorded.status == _UNAUTHORIZED and _scheme(recorded) in _CREDENTIALS:
            return "its credential was refused, and recordings hold none"
        if self._lacking & ids_in(_request(recorded)) - self._brought:
            return "it needs the response to one that was left out"
        # A callback that somebody recorded may still be listened to; it is nobody else's to call.
        if not self._run.target.is_emulator and not self._run.options.callback_url and _callbacks(recorded):
            return "it needs --callback-url"
        return ""

    def _play(self, recorded: Exchange) -> None:
        mailbox = self._mailboxes[_connection(recorded)]
        for url in _callbacks(recorded):
            own = self._run.options.callback_url or _NOWHERE
            self._ids.learn(url, self._callbacks.setdefault(url, f"{own}/{len(self._callbacks) + 1}"))
        body = self._body(recorded)
        path = self._path(recorded, mailbox)
        deadline = time.monotonic() + (0 if self._run.target.is_emulator else self._run.options.patience)
        for pause in (*_PAUSES, *[_PAUSES[-1]] * 1000):
            seen = _send(mailbox, recorded, path, body)
            differences = list(problems(recorded, seen, self._ids, whole_lists=self._run.target.is_emulator))
            # What was sent takes time to arrive in a real mailbox.
            if not differences or recorded.method != "GET" or time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
        self.played += 1
        _remember(mailbox, seen)
        for problem in differences:
            self._run.report.add(recorded.operation or f"{recorded.method} {urlsplit(path).path}", *problem)

    # --- What is sent ---

    def _path(self, recorded: Exchange, mailbox: Mailbox) -> str:
        url = urlsplit(recorded.url)
        connection = _connection(recorded)
        # Below the name of the connector and, unless it is a link in a mail, the id of the connection.
        parts = url.path.partition("/apim/")[2].split("/")[2 if connection else 1 :]
        base = mailbox.url if connection else mailbox.url.rpartition("/")[0]
        path = "/".join(("", *parts)) + (f"?{url.query}" if url.query else "")
        return base + self._ids.path(path)

    def _body(self, recorded: Exchange) -> bytes:
        try:
            document = json.loads(recorded.request_body)
        except ValueError:
            return self._ids.text(recorded.request_body.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            )
        sent = self._ids.json(document)
        if self._marker:
            sent = self._marked(sent)
        return recorded.request_body if sent == document else json.dumps(sent, ensure_ascii=False).encode()

    def _marked(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: self._marked_member(name, member) for name, member in value.items()}

    def _marked_member(self, name: str, member: Any) -> Any:
        if name in _TITLES and isinstance(member, str) and member and self._marker not in member:
            return self._ids.mark(member)
        return self._marked(member)

    # --- Which mailbox is which ---

    def _assigned(self) -> Mapping[str, Mailbox]:
        connections = list(dict.fromkeys(_connection(exchange) for exchange in self._recorded))
        named = [id for id in connections if id] or [""]
        if len(named) > len(self._run.mailboxes):
            raise ReplayError(
                f"The recording uses {len(named)} connections, and the target has {len(self._run.mailboxes)}"
                + (": --partner names a second one." if len(self._run.mailboxes) == 1 else ".")
            )
        numbered = sorted(named, key=lambda id: (_number(id) or 0, named.index(id)))
        parties = [self._run.mailboxes[name] for name in _PARTIES if name in self._run.mailboxes]
        known: set[str] = set()
        for number, mailbox in enumerate(parties, 1):
            id = numbered[number - 1] if number <= len(numbered) else ""
            self._ids.learn(id, mailbox.url.rpartition("/")[2])
            own = self._own_address(id, _number(id) or number, known)
            known.add(own)
            if own and mailbox.address:
                self._ids.learn(own, mailbox.address)
        assigned = dict(zip(numbered, parties, strict=False))
        return {"": parties[0], **assigned}

    def _own_address(self, connection: str, number: int, known: Set[str]) -> str:
        placeholder = OWN_ADDRESS.format(number)
        texts = [exchange.request_body + exchange.body for exchange in self._recorded]
        if any(placeholder.encode() in text for text in texts) or not connection:
            return placeholder
        return _likely_address([exchange for exchange in self._recorded if _connection(exchange) == connection], known)


def _send(mailbox: Mailbox, recorded: Exchange, url: str, body: bytes) -> Exchange:
    headers = {name: recorded.request_headers[name] for name in _SENT_HEADERS if name in recorded.request_headers}
    # Browsers leave credentials out of what they save, so their absence alone says nothing.
    extensions = {}
    if recorded.status == _UNAUTHORIZED:
        extensions["authorization"] = recorded.request_headers.get("authorization", "none")
    mailbox.http.request(recorded.method, url, headers=headers, content=body or None, extensions=extensions)
    return mailbox.transport.exchanges[-1]


def _remember(mailbox: Mailbox, seen: Exchange) -> None:
    """Have a subscription deleted at the end."""
    location = seen.headers.get("location", "")
    match = operation_of("DELETE", urlsplit(location).path)
    if seen.method == "POST" and seen.is_success and match is not None and match[0] is not None:
        mailbox.remember_subscription(location)


def _scheme(exchange: Exchange) -> str:
    """The scheme of a request's credential in lower case, empty without one."""
    return str(exchange.request_headers.get("authorization", "")).partition(" ")[0].lower()


def _request(exchange: Exchange) -> str:
    return f"{exchange.url} {exchange.request_body.decode('utf-8', 'replace')}"


def _ids_brought(exchange: Exchange) -> set[str]:
    return ids_in(f"{exchange.headers.get('location', '')} {exchange.body.decode('utf-8', 'replace')}")


def _callbacks(exchange: Exchange) -> list[str]:
    """The callbacks that a request names."""
    try:
        document = json.loads(exchange.request_body)
    except ValueError:
        return []
    url = document.get(_CALLBACK) if isinstance(document, Mapping) else None
    return [url] if isinstance(url, str) and url.startswith(("http://", "https://")) else []


def _connection(exchange: Exchange) -> str:
    match = operation_of(exchange.method, urlsplit(exchange.url).path)
    return match[1] if match else ""


def _number(connection: str) -> int | None:
    match = re.fullmatch(r"connection(\d+)", connection)
    return int(match[1]) if match else None


def _likely_address(exchanges: Sequence[Exchange], others: Set[str]) -> str:
    """The address that the mails of a mailbox name most often, as recipient rather than as sender; empty if unknown.

    `others` are those of other mailboxes.
    """
    counts: Counter[str] = Counter()
    for exchange in exchanges:
        for item in _objects(exchange):
            for name, weight in (("To", 2), ("Cc", 2), ("From", 1), ("Organizer", 2)):
                value = item.get(name)
                for address in {part.strip() for part in value.split(";")} if isinstance(value, str) else ():
                    counts[address] += weight if "@" in address and address not in others else 0
    return counts.most_common(1)[0][0] if counts else ""


def _objects(exchange: Exchange) -> Iterator[Mapping[str, Any]]:
    try:
        document = exchange.json()
    except ValueError:
        return
    items = document.get("value", [document]) if isinstance(document, Mapping) else ()
    yield from (item for item in items if isinstance(item, Mapping))
