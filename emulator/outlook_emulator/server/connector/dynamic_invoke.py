"""The request inside the body of a `dynamicInvoke`, and the response that wraps its response."""

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
from outlook_emulator.server.connector.rewrite import is_absolute, known_method, rewrite
from outlook_emulator.wire.body import reader_of

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_CALLERS_OWN = frozenset({b"authorization", b"host"})
"""Headers that are taken from the outer request, not from the inner one."""
_DOTNET_NAMES = {
    413: "RequestEntityTooLarge",
    414: "RequestUriTooLong",
    416: "RequestedRangeNotSatisfiable",
    422: "UnprocessableEntity",
    505: "HttpVersionNotSupported",
}
"""Statuses that .NET and Python name differently, or that Python names differently from version to version."""


class InvokedRequest(TypedDict, total=False):
    """The inner request; `path` starts below the connection, with or without a slash."""

    method: Required[str]
    path: Required[str]
    queries: dict[str, Any]
    headers: dict[str, Any]
    body: Any


class DynamicInvoke(TypedDict):
    """The body of a `dynamicInvoke`."""

    request: Required[InvokedRequest]


def inner_request(scope: Scope, base: bytes, body: bytes) -> tuple[Scope, bytes]:
    """The scope and the body of the request that a `dynamicInvoke` body describes; its path is below `base`.

    It has the headers of the outer request, except those about the body. Raises InvalidRequest.
    """
    request: InvokedRequest = reader_of(DynamicInvoke).read(body)["request"]
    method = known_method(request["method"], "The property 'request.method'")
    path, _, query = request["path"].partition("#")[0].partition("?")
    if is_absolute(path):
        raise ForeignUrl("The property 'request.path'", "be a path below the connection", path)
    content = _content(request)
    headers = _without_body_headers(scope["headers"]) | _inner_headers(request.get("headers", {}))
    if content:
        headers |= {b"content-type": b"application/json; charset=utf-8", b"content-length": b"%d" % len(content)}
    whole_query = "&".join(filter(None, (query, *_query(request.get("queries", {})))))
    target = base + b"/" + path.removeprefix("/").encode()
    return rewrite(scope, method, target, whole_query.encode(), headers.items()), content


def replay(content: bytes, receive: Receive) -> Receive:
    """An ASGI `receive` that returns a known body first, and then what the client sends."""
    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


class CollectedResponse:
    """A response that is collected instead of sent."""

    def __init__(self) -> None:
        self._status = 502
        self._headers: dict[str, str] = {}
        self._body = b""

    @property
    def size(self) -> int:
        return len(self._body)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                _header_name(name.decode("latin-1")): value.decode("latin-1") for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def wrapped(self) -> bytes:
        """The body of the outer response: the status by its .NET name (recorded), the headers, and the body as JSON."""
        return orjson.dumps(
            {
                "response": {
                    "statusCode": _status_name(self._status),
                    "headers": self._headers,
                    "body": _json_body(self._headers.get("Content-Type", ""), self._body),
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


def _without_body_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers if not name.startswith(b"content-") and name != b"transfer-encoding"}


def _inner_headers(declared: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The headers of the inner request, without those of the outer one. Raises InvalidRequest."""
    headers = {}
    for name, value in declared.items():
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
    """A header name as the real connector spells it: its own in lower case, all others capitalized (recorded)."""
    return name if name.startswith("x-ms-") else "-".join(part.capitalize() for part in name.split("-"))


def _status_name(status: int) -> str:
    if status in _DOTNET_NAMES:
        return _DOTNET_NAMES[status]
    try:
        return re.sub("[^A-Za-z]", "", HTTPStatus(status).phrase)
    except ValueError:
        return str(status)


def _json_body(content_type: str, content: bytes) -> Any:
    """A body inside JSON: JSON as it is, text as a string, anything else as the object Logic Apps uses (inferred)."""
    if not content:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    with suppress(ValueError):
        if kind == "application/json":
            # Only a check, since a fault may have cut it in half. The bytes go on as they are: orjson reads deeper JSON
            # than it writes.
            orjson.loads(content)
            return orjson.Fragment(content)
        if kind.startswith("text/"):
            return content.decode()
    return {"$content-type": content_type, "$content": b64encode(content).decode("ascii")}
