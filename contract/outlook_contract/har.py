"""Reads and writes exchanges as HAR 1.2, the format of browsers, proxies and API tools."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import harfile
import httpx

import outlook_emulator
from outlook_contract.exchange import Exchange
from outlook_contract.redaction import Redactor
from outlook_contract.routes import operation_of

INJECTED = "injected: "
"""Starts the comment of an entry whose response a fault or a limit of the emulator made."""
_HTTP = "HTTP/1.1"


class HarError(Exception):
    """A file is no HAR, or holds no request to the connector."""


class HarWriter:
    """Writes exchanges to a HAR file as they come, without secrets, addresses and ids. Use it in a `with` block."""

    def __init__(self, file: Path, redactor: Redactor) -> None:
        self.count = 0
        self._redactor = redactor
        self._stream = file.open("w", encoding="utf-8")
        creator = harfile.Creator("outlook-emulator", outlook_emulator.__version__)
        self._har = harfile.HarFile(self._stream, creator=creator)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The file is whole even after an error.
        with self._stream:
            self._har.close()

    def add(self, exchange: Exchange, comment: str = "") -> None:
        """Write one exchange."""
        clean = self._redactor.exchange(exchange)
        milliseconds = round(clean.seconds * 1000, 3)
        self._har.add_entry(
            startedDateTime=datetime.fromtimestamp(clean.started, UTC),
            time=milliseconds,
            request=_request(clean),
            response=_response(clean),
            timings=harfile.Timings(send=0, wait=milliseconds, receive=0),
            comment=comment or None,
        )
        self._har.flush()
        self.count += 1


def write(file: Path, exchanges: Iterable[Exchange], redactor: Redactor) -> int:
    """Write exchanges to a HAR file without secrets, addresses and ids. Returns how many there are."""
    with HarWriter(file, redactor) as har:
        for exchange in exchanges:
            har.add(exchange)
    return har.count


def read(file: Path) -> list[Exchange]:
    """The requests to the connector in a HAR file, in their order, without those that a fault or a limit answered.

    Raises HarError.
    """
    try:
        document = json.loads(file.read_bytes())
        entries = document["log"]["entries"]
        exchanges = [exchange for entry in entries for exchange in _read_entry(entry)]
    except OSError as error:
        raise HarError(f"Cannot read {file}: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise HarError(f"{file} is no HAR 1.2 file.") from error
    if not exchanges:
        raise HarError(f"{file} holds no request to a connector: none has a path with /apim/outlook/.")
    return exchanges


def _read_entry(entry: Mapping[str, Any]) -> Iterator[Exchange]:
    request, response = entry["request"], entry["response"]
    operation = operation_of(request["method"], urlsplit(request["url"]).path)
    # Browsers write status 0 for a request without a response, and ask with OPTIONS before they call another origin.
    if operation is None or not response["status"] or request["method"] == "OPTIONS":
        return
    if (entry.get("comment") or "").startswith(INJECTED):
        return
    # No address has half a character. Raises ValueError.
    request["url"].encode()
    content = response["content"]
    text = content.get("text") or ""
    yield Exchange(
        operation=operation[0],
        method=request["method"],
        url=request["url"],
        request_headers=_read_headers(request["headers"]),
        request_body=(request.get("postData", {}).get("text") or "").encode("utf-8", "surrogateescape"),
        status=int(response["status"]),
        headers=_read_headers(response["headers"]),
        body=b64decode(text) if content.get("encoding") == "base64" else text.encode("utf-8", "surrogatepass"),
        started=datetime.fromisoformat(entry["startedDateTime"]).timestamp(),
        seconds=entry["time"] / 1000,
    )


def _read_headers(records: Iterable[Mapping[str, str]]) -> httpx.Headers:
    # HTTP/2 has headers such as `:authority`, which belong to the request line.
    return httpx.Headers(
        [(record["name"], record["value"]) for record in records if not record["name"].startswith(":")],
        # Some clients send more than ASCII.
        encoding="utf-8",
    )


def _request(exchange: Exchange) -> harfile.Request:
    body = exchange.request_body
    post = None
    if body:
        text = body.decode("utf-8", "surrogateescape")
        post = harfile.PostData(mimeType=exchange.request_headers.get("content-type", ""), text=text)
    query = parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True)
    return harfile.Request(
        method=exchange.method,
        url=exchange.url,
        httpVersion=_HTTP,
        headers=_records(exchange.request_headers),
        queryString=[harfile.Record(name, value) for name, value in query],
        postData=post,
        bodySize=len(body),
    )


def _response(exchange: Exchange) -> harfile.Response:
    body = exchange.body
    content = harfile.Content(size=len(body), mimeType=exchange.headers.get("content-type", "application/octet-stream"))
    try:
        content.text = body.decode("utf-8")
    except UnicodeDecodeError:
        content.text, content.encoding = b64encode(body).decode("ascii"), "base64"
    return harfile.Response(
        status=exchange.status,
        statusText=_phrase(exchange.status),
        httpVersion=_HTTP,
        headers=_records(exchange.headers),
        content=content,
        redirectURL=exchange.headers.get("location", ""),
        bodySize=len(body),
    )


def _records(headers: httpx.Headers) -> list[harfile.Record]:
    return [harfile.Record(name, value) for name, value in headers.multi_items()]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
