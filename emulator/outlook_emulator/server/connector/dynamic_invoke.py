"""The request inside the body of a `dynamicInvoke`, and its answer wrapped into another."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Required
from urllib.parse import quote

import orjson
from starlette.types import Message, Receive, Scope
from typing_extensions import TypedDict

from outlook_emulator.errors import ContentHeader, ForeignUrl, InvalidRequest
from outlook_emulator.server.connector.rewrite import is_absolute, known_method, rewritten
from outlook_emulator.wire.body import reader_of

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_CALLERS_OWN = frozenset({b"authorization", b"host"})
"""Headers that the call itself brings, whatever the request inside it says."""
_DOTNET_NAMES = {
    413: "RequestEntityTooLarge",
    414: "RequestUriTooLong",
    416: "RequestedRangeNotSatisfiable",
    422: "UnprocessableEntity",
    505: "HttpVersionNotSupported",
}
"""Statuses that .NET names otherwise than Python does, or Python not the same in all its versions."""


class InvokedRequest(TypedDict, total=False):
    """A request inside a call; `path` starts below the connection, with or without a slash."""

    method: Required[str]
    path: Required[str]
    queries: dict[str, Any]
    headers: dict[str, Any]
    body: Any


class DynamicInvoke(TypedDict):
    """The body of a `dynamicInvoke`."""

    request: Required[InvokedRequest]


def ordered(scope: Scope, base: bytes, body: bytes) -> tuple[Scope, bytes]:
    """The request that a call's body describes, below `base`, and that request's own body.

    The headers of the call go along, but for those about its body. Raises InvalidRequest, naming the member at fault.
    """
    request: InvokedRequest = reader_of(DynamicInvoke).read(body)["request"]
    method = known_method(request["method"], "The property 'request.method'")
    path, _, query = request["path"].partition("#")[0].partition("?")
    if is_absolute(path):
        raise ForeignUrl("The property 'request.path'", "be a path below the connection", path)
    content = _content(request)
    headers = _about_no_body(scope["headers"]) | _given_headers(request.get("headers", {}))
    if content:
        headers |= {b"content-type": b"application/json; charset=utf-8", b"content-length": b"%d" % len(content)}
    whole = "&".join(filter(None, (query, *_query(request.get("queries", {})))))
    target = base + b"/" + path.removeprefix("/").encode()
    return rewritten(scope, method, target, whole.encode(), headers.items()), content


def replaying(content: bytes, receive: Receive) -> Receive:
    """What gives a body that is known already, and after it whatever else comes of the caller."""
    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


class Heard:
    """An answer that is collected instead of being sent."""

    def __init__(self) -> None:
        self._status = 502
        self._headers: dict[str, str] = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                _header_name(name.decode("latin-1")): value.decode("latin-1") for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def wrapped(self) -> bytes:
        """The answer inside another one: its status by its name in .NET (recorded), its body as JSON can hold it."""
        return orjson.dumps(
            {
                "response": {
                    "statusCode": _status_name(self._status),
                    "headers": self._headers,
                    "body": _shown(self._headers.get("Content-Type", ""), self._body),
                }
            }
        )


def _content(request: InvokedRequest) -> bytes:
    if "body" not in request:
        return b""
    try:
        return orjson.dumps(request["body"])
    except orjson.JSONEncodeError:
        raise InvalidRequest("The property 'request.body' is nested too deeply.") from None


def _query(queries: Mapping[str, Any]) -> Iterator[str]:
    for name, value in queries.items():
        if value is not None:
            yield f"{quote(name, safe='$')}={quote(_text(value, f'request.queries.{name}'), safe='')}"


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    raise InvalidRequest(f"The property '{where[:200]}' must be a text, a number or a boolean.")


def _about_no_body(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers if not name.startswith(b"content-") and name != b"transfer-encoding"}


def _given_headers(given: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The headers of the request inside a call, but for those that are the call's own. Raises InvalidRequest."""
    headers = {}
    for name, value in given.items():
        if name.lower().startswith("content-"):
            raise ContentHeader(name)
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidRequest(f"The property 'request.headers' cannot hold a header named '{name[:100]}'.")
        text = "" if value is None else _text(value, f"request.headers.{name}")
        if not _HEADER_VALUE.fullmatch(text):
            raise InvalidRequest(f"The property 'request.headers.{name[:100]}' must be one line of text.")
        headers[name.lower().encode("ascii")] = text.encode()
    return {name: value for name, value in headers.items() if name not in _CALLERS_OWN}


def _header_name(name: str) -> str:
    """A header as the real connector spells it: its own in lower case, all others with capitals (recorded)."""
    return name if name.startswith("x-ms-") else "-".join(part.capitalize() for part in name.split("-"))


def _status_name(status: int) -> str:
    if status in _DOTNET_NAMES:
        return _DOTNET_NAMES[status]
    try:
        return re.sub("[^A-Za-z]", "", HTTPStatus(status).phrase)
    except ValueError:
        return str(status)


def _shown(content_type: str, content: bytes) -> Any:
    """A body inside JSON: JSON as it is, text as a string, all else as the object that Logic Apps makes (inferred)."""
    if not content:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    with suppress(ValueError):
        if kind == "application/json":
            orjson.loads(content)
            return orjson.Fragment(content)
        if kind.startswith("text/"):
            return content.decode()
    return {"$content-type": content_type, "$content": b64encode(content).decode("ascii")}
