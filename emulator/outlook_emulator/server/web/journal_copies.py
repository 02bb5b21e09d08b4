"""An exchange of the journal as a curl command, as a test, and as a HAR file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

_OF_TRANSPORT = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding", "accept"})
"""Headers that a client sets by itself."""
_OF_FIXTURE = frozenset({"authorization", "content-type", "user-agent"})
"""Headers that the fixture of a test sets."""
_REDACTED = "(redacted)"


def curl(entry: Any, base: str) -> str:
    """A shell command that sends a request again, by the JSON of its entry; `anything` replaces the credential."""
    lines = [f"curl -i -X {entry['method']} {_quoted(_url(entry, base))}"]
    lines += [f"-H {_quoted(f'{name}: {value}')}" for name, value in _headers(entry).items()]
    body = entry["request"]["body"]
    if (encoded := _base64(body)) is not None:
        lines[0] = f"printf %s {_quoted(encoded)} | base64 -d | {lines[0]}"
        lines.append("--data-binary @-")
    elif (text := _text(body)) is not None:
        lines.append(f"--data-binary {_quoted(text)}")
    return _note_of_cut(entry) + " \\\n  ".join(lines)


def pytest_test(entry: Any) -> str:
    """A test that sends a request again and expects the same status; it uses the fixture `outlook`."""
    path = entry["path"] + (f"?{entry['query']}" if entry["query"] else "")
    body = entry["request"]["body"]
    arguments = [repr(entry["method"]), repr(path)]
    headers = {name: value for name, value in _headers(entry).items() if name not in _OF_FIXTURE}
    if headers:
        arguments.append(f"headers={headers!r}")
    if (encoded := _base64(body)) is not None:
        arguments.append(f"content=b64decode({encoded!r})")
    elif isinstance(body, dict | list):
        arguments.append(f"json={body!r}")
    elif body is not None:
        arguments.append(f"content={_text(body)!r}")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", entry["operation"] or "request").lower()
    call = ",\n        ".join(arguments)
    imports = "" if encoded is None else "from base64 import b64decode\n\n\n"
    return (
        f"{_note_of_cut(entry)}{imports}def test_{name}(outlook):\n"
        f"    response = outlook.http.request(\n        {call},\n    )\n\n"
        f"    assert response.status_code == {entry['status']}\n"
    )


def har(entries: Iterable[Any], base: str) -> dict[str, Any]:
    """A HAR 1.2 log of exchanges, by the JSON of their entries."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "outlook-connector-emulator", "version": "1"},
            "entries": [_har_entry(entry, base) for entry in entries],
        }
    }


def _har_entry(entry: Any, base: str) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    har_request: dict[str, Any] = {
        "method": entry["method"],
        "url": _url(entry, base),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request["headers"]),
        "queryString": [{"name": name, "value": value} for name, value in parse_qsl(entry["query"], True)],
        "headersSize": -1,
        "bodySize": request["size"],
    }
    if request["body"] is not None:
        har_request["postData"] = {"mimeType": request["headers"].get("content-type", ""), **_har_text(request["body"])}
    content = {"size": response["size"], "mimeType": response["headers"].get("content-type", "")}
    content |= _har_text(response["body"])
    took = entry["tookMilliseconds"]
    return {
        "startedDateTime": _instant(entry["at"]),
        "time": took,
        "request": har_request,
        "response": {
            # A response that did not arrive has no status; HAR writes 0 for it.
            "status": entry["status"] if entry["outcome"] == "answered" and entry["status"] else 0,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(response["headers"]),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": response["size"],
        },
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": "; ".join(f"{cause['kind']} {cause['name']}: {cause['reason']}" for cause in entry["causes"]),
    }


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds")


def _url(entry: Any, base: str) -> str:
    connection = f"/{entry['connection']}" if entry["connection"] else ""
    query = f"?{entry['query']}" if entry["query"] else ""
    return f"{base}/apim/outlook{connection}{entry['path']}{query}"


def _headers(entry: Any) -> dict[str, str]:
    headers = {name: value for name, value in entry["request"]["headers"].items() if name not in _OF_TRANSPORT}
    if headers.get("authorization") == _REDACTED:
        headers["authorization"] = "Bearer anything"
    return {name: value for name, value in headers.items() if value != _REDACTED}


def _pairs(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def _note_of_cut(entry: Any) -> str:
    """A comment in front of a copy that lacks a part of the body."""
    request = entry["request"]
    return f"# The body is cut: the request had {request['size']} bytes.\n" if request["truncated"] else ""


def _har_text(body: Any) -> dict[str, str]:
    encoded, text = _base64(body), _text(body)
    if encoded is not None:
        return {"text": encoded, "encoding": "base64"}
    return {} if text is None else {"text": text}


def _base64(body: Any) -> str | None:
    """The content of a body that is no text, in base64; None for texts."""
    is_binary = isinstance(body, dict) and body.keys() == {"$content-type", "$content"}
    return body["$content"] if is_binary else None


def _text(body: Any) -> str | None:
    """A body as text, None if there is none; JSON is written anew."""
    if body is None or isinstance(body, str):
        return body
    return json.dumps(body, ensure_ascii=False)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
