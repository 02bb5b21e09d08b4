"""Replaces secrets, addresses, ids and texts in exchanges, the same value always by the same placeholder.

A placeholder has the form of what it stands for, so that a recording stays valid: an id keeps its start and its
length, an address is an address.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from outlook_contract.exchange import Exchange
from outlook_contract.routes import operation_of, routes

if TYPE_CHECKING:
    from outlook_contract.words import Words

HOST = "connector.example"
"""Stands for the host of a connection's runtime URL."""
OWN_ADDRESS = "mailbox{}@example.com"
"""Stands for the address of the mailbox behind the connection with this number."""
_ADDRESS = "person{}@example.net"
_POSTMASTER = re.compile(r"MicrosoftExchange[0-9a-f]{32}@.+", re.IGNORECASE)
"""The sender of Exchange's own reports, alike in all organizations but for the domain."""
_CONNECTION = "connection{}"
_SECRET = "secret-{}"
_SECRET_HEADERS = re.compile(
    r"auth|cookie|token|secret|password|signature|api-?key|functions-key|subscription-key", re.I
)
_SECRET_NAMES = r"(?:sig|code|(?:access_|refresh_|id_)?token|client_secret|password|api[-_]?key|subscription-key)"
_SECRET_MEMBERS = re.compile(r"(?i)(?:sig|(?:access|refresh|id)_token|client_secret|password)")
_ESCAPED = r"%(?:25)*"
"""A percent sign, escaped as often as may be."""
# Where an address starts after an escaped character, the digits of that character do not belong to it.
_START = r"(?<!%)(?<!%[0-9A-Fa-f])(?<!%25)(?<!%25[0-9A-Fa-f])"
_AFTER_ESCAPE = r"(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})"
"""The digits of an escaped character before a value do not belong to it."""
_SECRETS = re.compile(
    # A signature or a token in the query of a URL, also of a URL that is itself a value in a query.
    rf"(?P<named>(?:\b|(?<=%26)|(?<=%3[Ff])|(?<=%2526)|(?<=%253[Ff]))(?i:{_SECRET_NAMES})(?:=|{_ESCAPED}3[Dd]))"
    rf"(?P<secret>(?:(?!{_ESCAPED}26)[^&\s\"'<>\\#])+)"
    r"|(?P<jwt>\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)
IDS = re.compile(
    # An id of Exchange: base64 with a fixed start, in the alphabet for URLs or the common one.
    rf"(?P<id>(?:(?<![A-Za-z0-9+_-])|{_AFTER_ESCAPE})(?:A[A-Z][MQ]k|EQAAAB|DwAAAB)"
    rf"(?:[A-Za-z0-9+/_-]|{_ESCAPED}2[BbFf]){{24,}}+"
    rf"(?:=|{_ESCAPED}3[Dd])*)"
    rf"|(?P<uid>(?:\b|{_AFTER_ESCAPE})040000008200E00074C5B7101A82E008[0-9A-Fa-f]+)"
    rf"|(?P<guid>(?:(?<![0-9A-Fa-f])|{_AFTER_ESCAPE})"
    rf"[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}(?![0-9A-Fa-f]))"
    rf"|(?P<hex>(?:(?<![0-9A-Za-z%])|{_AFTER_ESCAPE})[0-9a-f]{{32}}(?![0-9A-Za-z]))"
)
_ADDRESSES = re.compile(
    rf"(?P<address>{_START}[A-Za-z0-9](?:[A-Za-z0-9._+'-]|{_ESCAPED}2[Bb7]){{0,63}}+(?:@|{_ESCAPED}40|&\#64;)"
    r"[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62})+)"
)
_PATTERNS = ((_SECRETS, ("=", "%3", "%25", "eyJ")), (IDS, ()), (_ADDRESSES, ("@", "%40", "%25", "#64")))
"""What to replace, and texts without which there is none of it: most large bodies are quickly known to be harmless."""
# Text that may be the base64 of something with an id or an address, such as the state of a trigger.
BASE64 = re.compile(
    rf"(?:(?<![A-Za-z0-9+/_-])|{_AFTER_ESCAPE})(?:[A-Za-z0-9+/_-]|{_ESCAPED}2[BbFf]){{24,}}(?:=|{_ESCAPED}3[Dd])*"
)
_END = re.compile(r"\s*\S\s*\Z")
_CURSOR = re.compile(r"triggerstate=([^&\s\"'<>]+)")
_PASSWORD = re.compile(r"(?<=://)[^/\s:@\"'<>]+:[^/\s@\"'<>]+@")
"""A user's name and password before a host."""
_LINK = re.compile(r"(://[^\s\"'<>\\?#]+)")
_IN_PATH = re.compile(
    rf"(?P<before>(?:/|{_ESCAPED}2[Ff])apim(?P<slash>/|{_ESCAPED}2[Ff])[\w-]+(?P=slash))(?P<id>[^/%?#&\s\"'<>\\]+)"
)
"""A connection's id in a path, also in a path that is a value in a query."""
_MOST_ESCAPES = 2
_SHORTEST_LITERAL = 8
"""A shorter value also occurs by chance, so it is only replaced where its place tells what it is."""
_NO_TEXT = re.compile(
    r"(?:.*[a-z])?I[dD]|id|.*ChangeKey|.*etag|(?:Start|End)?TimeZone|[cC]ontentType|@odata\.(?:type|context)|Language"
    r"|notificationType|renewInterval|ProviderType|urlEncoding|x-ms-.*"
)
"""Members whose values are no texts."""
_PLAIN_HEADERS = re.compile(
    r"(?i)accept.*|access-control-.*|age|allow|alt-svc|cache-control|connection|content-(?:type|length|encoding|language)"
    r"|date|etag|expires|host|if-.*|origin|pragma|prefer|range|retry-after|sec-.*|server|strict-transport-security"
    r"|timing-allow-origin|traceparent|transfer-encoding|user-agent|vary|via|x-content-type-options|x-frame-options"
    r"|x-ms-(?:request-id|client-request-id|correlation-.*|operation-context|user-agent)"
)
"""Headers whose values are no texts."""
_TEXT_IN_URL = re.compile(
    r"(?P<before>[?&](?P<name>(?i:(?:\$|%24)(?:filter|search)|search|searchQuery|subjectFilter|folderPath|comment|table"
    r"|calendarId|validationtoken))=|/tables(?:/|\())(?P<value>(?<==)[^&#\s]*|(?<!=)[^/?&#\s)]*)"
)
"""The parts of a URL that may hold texts."""
_DOWNLOAD = "GetAttachment"
_OWN_PLACEHOLDER = re.compile(
    r"mailbox\d+(?:\+tag\d+)?@example\.com|person\d+(?:\+tag\d+)?@(?:example\.net|[a-z0-9.-]+\.invalid)"
    r"|microsoftexchange[0-9a-f]{32}@example\.com|secret-\d+|connection\d+|\(redacted\)"
)


_SEGMENT = re.compile(r"(?<=/)[^/\s\"'<>?#&]+(?=/)")
_SEGMENTS = frozenset(segment for route in routes().values() for segment in route.path.split("/"))
_WITHOUT_CONNECTION = frozenset(route.path.split("/")[1] for route in routes().values() if route.is_at_root)


def without_ids(text: str) -> str:
    """A text with the word `<id>` for each id, secret and id of a mail, for comparisons."""
    return BASE64.sub(_base64_without_ids, _replaced(_kind, _IN_PATH.sub(r"\g<before><id>", text)))


def ids_in(text: str) -> set[str]:
    """The ids and cursors in a text, without their escapes."""
    patterns = [match[0] for match in IDS.finditer(text)]
    cursors = [match[1] for match in _CURSOR.finditer(text)]
    return {unescaped(value)[0] for value in (*patterns, *cursors)}


def _replaced(replacement: Callable[[re.Match[str]], str], text: str) -> str:
    for pattern, marks in _PATTERNS:
        if not marks or any(mark in text for mark in marks):
            text = pattern.sub(replacement, text)
    return text


def _kind(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "secret":
        return match["named"] + "<id>"
    # The id of a mail has the form of an address in angle brackets.
    is_in_brackets = match.string[: match.start()].endswith("<")
    return match[0] if kind == "address" and not is_in_brackets else "<id>"


def _base64_without_ids(match: re.Match[str]) -> str:
    inner = decoded(unescaped(match[0])[0])
    return match[0] if inner is None else without_ids(inner[0])


class Redactor:
    """Replaces what must not leave a machine. Use one for everything that belongs together.

    `own_addresses` are the addresses of the mailboxes behind the connections, in their order. With `words`, texts and
    files are replaced as well.
    """

    def __init__(self, own_addresses: Iterable[str] = (), *, words: Words | None = None) -> None:
        self._words = words
        self._only: Set[str] | None = None
        self._placeholders: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._literal: re.Pattern[str] | None = None
        self._literals: dict[str, str] = {}
        self._short_connections: dict[str, str] = {}
        self._callbacks: dict[str, str] = {}
        for number, address in enumerate(own_addresses, 1):
            if address:
                self._placeholders[address.casefold()] = OWN_ADDRESS.format(number)

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets, addresses and ids, and without texts if these are replaced."""
        self._learn(exchange)
        if self._words is not None:
            self._words.used.clear()
        clean = replace(
            exchange,
            url=self._link(exchange.url),
            request_headers=self._headers(exchange.request_headers),
            request_body=self.body(exchange.request_body),
        )
        # The connector words its errors itself, but may repeat what the request said.
        self._only = None if exchange.is_success or self._words is None else frozenset(self._words.used)
        headers = self._headers(exchange.headers)
        is_file = exchange.is_success and exchange.operation == _DOWNLOAD
        body = self._file(exchange.body) if is_file else self.body(exchange.body)
        self._only = None
        return replace(clean, headers=headers, body=body)

    def connection(self, id: str) -> str:
        """The placeholder of a connection's id. Connections are numbered in the order in which they are named."""
        if _OWN_PLACEHOLDER.fullmatch(id):
            return id
        placeholder = self._literally(id, lambda: _CONNECTION.format(self._next(_CONNECTION)))
        if len(id) < _SHORTEST_LITERAL and id not in _SEGMENTS:
            self._short_connections[id] = placeholder
        return placeholder

    def text(self, text: str) -> str:
        """A text without secrets, addresses and ids, also where they are escaped for a URL or encoded in base64."""
        if self._literal is not None:
            text = self._literal.sub(lambda match: self._literals[match[0].casefold()], text)
        text = _IN_PATH.sub(self._in_path, text)
        if self._short_connections:
            # Errors repeat a path without what comes before the connection.
            text = _SEGMENT.sub(lambda match: self._short_connections.get(match[0], match[0]), text)
        text = _PASSWORD.sub("", text)
        # The alphabet of ids has a slash, which separates them in a path.
        parts = _LINK.split(text)
        parts[::2] = map(self._plain, parts[::2])
        parts[1::2] = ["/".join(map(self._plain, link.split("/"))) for link in parts[1::2]]
        return "".join(parts)

    def body(self, body: bytes) -> bytes:
        """A body without secrets, addresses and ids. Bytes that are not text stay as they are."""
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return body
        try:
            document = json.loads(text)
        except ValueError:
            return self._worded(self.text(text)).encode()
        clean = self._json(document)
        if clean == document:
            return body
        # A state may be signed with white space at its end, by which it differs from others.
        end = _END.search(text)
        return (json.dumps(clean, ensure_ascii=False)[:-1] + (end[0] if end else "")).encode()

    # --- What to replace ---

    def _learn(self, exchange: Exchange) -> None:
        """Remember the values that only their place tells to be secrets."""
        url = urlsplit(exchange.url)
        self._literally(url.netloc, lambda: HOST)
        operation = operation_of(exchange.method, url.path)
        if operation is not None and operation[1]:
            self.connection(operation[1])
        for headers in (exchange.request_headers, exchange.headers):
            for name, value in headers.multi_items():
                if name.lower() in ("authorization", "proxy-authorization"):
                    self._secret(value.rpartition(" ")[2])

    def _headers(self, headers: httpx.Headers) -> httpx.Headers:
        return httpx.Headers([(name, self._header(name, value)) for name, value in headers.multi_items()])

    def _header(self, name: str, value: str) -> str:
        if name.lower() == "location":
            return self._link(value)
        if not _SECRET_HEADERS.search(name):
            return self.text(value) if _PLAIN_HEADERS.fullmatch(name) else self._worded(self.text(value))
        scheme, space, credential = value.rpartition(" ")
        if name.lower() in ("authorization", "proxy-authorization") and space:
            return f"{scheme} {self._secret(credential)}"
        return self._secret(value)

    def _json(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return self._secret(value) if value and _SECRET_MEMBERS.fullmatch(name) else self._string(value, name)
        if isinstance(value, list):
            return [self._json(item, name) for item in value]
        if isinstance(value, Mapping):
            clean = {self.text(key): self._json(item, key) for key, item in value.items()}
            # The name beside an address names the same person, and is often a part of the address.
            if isinstance(value.get("Address"), str) and isinstance(value.get("Name"), str) and value["Address"]:
                is_address = value["Name"].casefold() == value["Address"].casefold()
                clean["Name"] = value["Name"] and clean["Address"].partition(" " if is_address else "@")[0]
            return clean
        return value

    def _string(self, value: str, name: str) -> str:
        """The value of a member."""
        if self._words is None or _NO_TEXT.fullmatch(name):
            return self.text(value)
        if name == "ContentBytes":
            with suppress(Error):
                return b64encode(self._file(b64decode(value, validate=True))).decode("ascii")
        if "://" in value and name.casefold() == "notificationurl":
            return self._callback(value)
        if value.startswith("http") and "/apim/" in value:
            return self._link(value)
        return self._worded(self.text(value))

    def _worded(self, text: str) -> str:
        return text if self._words is None else self._words.text(text, self._only)

    def _file(self, content: bytes) -> bytes:
        return content if self._words is None else self._words.file(content)

    def _callback(self, url: str) -> str:
        if url not in self._callbacks:
            self._callbacks[url] = f"{url.partition('://')[0]}://callback{len(self._callbacks) + 1}.example/"
            self._callbacks[self._callbacks[url]] = self._callbacks[url]
        return self._callbacks[url]

    def _link(self, url: str) -> str:
        """The URL of a request to the connector, whose path and query may hold texts."""
        # A plus sign stands for a space in a query, but may be a part of an address.
        path, mark, query = url.partition("?")
        clean = self.text(path + mark + query.replace("+", "%20"))
        return clean if self._words is None else _TEXT_IN_URL.sub(self._text_in_url, clean)

    def _text_in_url(self, match: re.Match[str]) -> str:
        assert self._words is not None
        name, value = unescaped(match["name"] or "")[0], match["value"]
        plain, levels = unescaped(value)
        is_filter = name.lower() == "$filter"
        clean = self._words.literals(plain) if is_filter else self._words.text(plain, self._only)
        return match["before"] + (value if clean == plain else escaped(clean, levels or 1))

    def _plain(self, text: str) -> str:
        return BASE64.sub(self._base64, _replaced(self._matched, text))

    def _in_path(self, match: re.Match[str]) -> str:
        # Paths of links in mails have no connection.
        return match["before"] + (match["id"] if match["id"] in _WITHOUT_CONNECTION else self.connection(match["id"]))

    def _matched(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind == "secret":
            return match["named"] + self._secret(match["secret"])
        if kind == "jwt":
            return self._secret(match[kind])
        plain, levels = unescaped(match[0].replace("&#64;", "@"))
        return escaped(self._placeholder(kind, plain), levels)

    def _base64(self, match: re.Match[str]) -> str:
        plain, levels = unescaped(match[0])
        if (inner := decoded(plain)) is None:
            return match[0]
        text, altchars = inner
        clean = self.body(text.encode()).decode()
        if clean == text:
            return match[0]
        return escaped(b64encode(clean.encode(), altchars).decode("ascii"), levels)

    # --- Placeholders ---

    def _placeholder(self, kind: str, value: str) -> str:
        key = value if kind == "id" else value.casefold()
        if kind == "address" and _OWN_PLACEHOLDER.fullmatch(key):
            return value
        if key not in self._placeholders:
            tagged = self._tagged(key) if kind == "address" else ""
            self._placeholders[key] = tagged or _FORMS[kind](value, self._next(kind))
        return self._placeholders[key]

    def _tagged(self, address: str) -> str:
        """The placeholder of an address with a tag after a plus sign, if the address without it has one."""
        local, _, domain = address.partition("@")
        name, plus, _ = local.partition("+")
        placeholder = self._placeholders.get(f"{name}@{domain}", "") if plus else ""
        return placeholder.replace("@", f"+tag{self._next('tag')}@") if placeholder else ""

    def _secret(self, value: str) -> str:
        if not value or _OWN_PLACEHOLDER.fullmatch(value):
            return value
        return self._literally(unescaped(value)[0], lambda: _SECRET.format(self._next(_SECRET)))

    def _literally(self, value: str, placeholder: Callable[[], str]) -> str:
        """The placeholder of a value that is replaced wherever it stands from now on, however it is escaped."""
        key = value.casefold()
        if key not in self._literals:
            text = placeholder()
            for levels in range(_MOST_ESCAPES + 1):
                self._literals[escaped(value, levels).casefold()] = text
            long = sorted((text for text in self._literals if len(text) >= _SHORTEST_LITERAL), key=len, reverse=True)
            words = "|".join(map(re.escape, long))
            self._literal = (
                re.compile(rf"(?:(?<![A-Za-z0-9])|{_AFTER_ESCAPE})(?:{words})(?![A-Za-z0-9])", re.IGNORECASE)
                if long
                else None
            )
        return self._literals[key]

    def _next(self, kind: str) -> int:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]


def _id(value: str, number: int) -> str:
    """An id with the start, the end and the length of another."""
    core = value.rstrip("=")
    start = core[:10]
    return f"{start}{number:0{max(len(core) - len(start), 1)}d}" + value[len(core) :]


def _address(value: str, number: int) -> str:
    local, _, domain = value.partition("@")
    if _POSTMASTER.fullmatch(value):
        return f"{local}@example.com"
    # Mail to a domain that cannot exist comes back, and says so.
    return f"person{number}@{domain}" if domain.casefold().endswith(".invalid") else _ADDRESS.format(number)


_FORMS: Mapping[str, Callable[[str, int], str]] = {
    "id": _id,
    "uid": lambda value, number: f"{value[:32]}{number:0{max(len(value) - 32, 1)}d}",
    "guid": lambda value, number: f"00000000-0000-4000-8000-{number:012d}",
    "hex": lambda value, number: f"{number:032d}",
    "address": _address,
}
"""The placeholder for a value of each kind, from the value and a number."""


def decoded(text: str) -> tuple[str, bytes] | None:
    """The text that base64 stands for and the last two characters of its alphabet, None if it stands for no text."""
    for altchars in (b"+/", b"-_"):
        try:
            plain = b64decode(text + "=" * (-len(text) % 4), altchars, validate=True).decode("utf-8")
        except (Error, ValueError):
            continue
        if all(character.isprintable() or character.isspace() for character in plain):
            return plain, altchars
    return None


def unescaped(text: str) -> tuple[str, int]:
    """A text without the escapes of a URL, and how often it was escaped."""
    for levels in range(_MOST_ESCAPES):
        plain = unquote(text)
        if plain == text:
            return text, levels
        text = plain
    return text, _MOST_ESCAPES


def escaped(text: str, levels: int) -> str:
    for _ in range(levels):
        text = quote(text, safe="")
    return text
