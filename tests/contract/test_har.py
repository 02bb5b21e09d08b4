"""HAR files: what is written is valid and can be read again, and files of browsers can be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from outlook_contract import har
from outlook_contract.redaction import Redactor
from tests.contract.recordings import recorded
from tests.contract.test_redaction import exchange

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "log": ("version", "creator", "entries"),
    "entry": ("startedDateTime", "time", "request", "response", "cache", "timings"),
    "request": ("method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"),
    "response": (
        *("status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL"),
        *("headersSize", "bodySize"),
    ),
    "content": ("size", "mimeType"),
    "timings": ("send", "wait", "receive"),
}
"""The members that HAR 1.2 demands of each object."""
_VALIDATE = """
const document = JSON.parse(require("fs").readFileSync(process.argv[1]));
require("har-validator/lib/promise").har(document).catch(error => console.log(JSON.stringify(error.errors)));
"""


def lacking(document: Mapping[str, Any]) -> list[str]:
    """What HAR 1.2 demands and a document lacks."""
    log = document["log"]
    parts = [("log", log)]
    for entry in log["entries"]:
        parts += [("entry", entry), ("request", entry["request"]), ("response", entry["response"])]
        parts += [("content", entry["response"]["content"]), ("timings", entry["timings"])]
    return [f"{name}.{member}" for name, part in parts for member in REQUIRED[name] if member not in part]


@cache
def _validator() -> Mapping[str, str] | None:
    """The environment in which node finds the package har-validator, None without it."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    root = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=False).stdout.strip()
    environment = {**os.environ, "NODE_PATH": root}
    check = ["node", "--eval", "require('har-validator')"]
    is_installed = subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 0
    return environment if is_installed else None


def invalid(file: Path) -> str:
    """What the npm package har-validator, which has the schema of HAR 1.2, says against a file; empty if it is valid.

    Skips the test where it is not installed.
    """
    environment = _validator()
    if environment is None:
        pytest.skip("needs node and the package har-validator: npm install --global har-validator@5")
    command = ["node", "--eval", _VALIDATE, "--", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def entry(**changes: Any) -> dict[str, Any]:
    """An entry as a browser saves it."""
    request = {"method": "GET", "url": "https://g.example/apim/outlook/abc/Mail/nope", "headers": []}
    content = {"size": 2, "mimeType": "application/json", "text": "e30=", "encoding": "base64"}
    headers = [{"name": ":status", "value": "400"}, {"name": "content-type", "value": "application/json"}]
    response = {"status": 400, "headers": headers, "content": content}
    whole = {"startedDateTime": "2026-03-02T09:00:00.000Z", "time": 12.5, "request": request, "response": response}
    return whole | changes


def saved(folder: Path, *entries: Mapping[str, Any]) -> Path:
    file = folder / "a.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": list(entries)}}), encoding="utf-8")
    return file


@pytest.mark.slow
def test_a_written_file_is_whole(tmp_path: Path) -> None:
    """A recording has every member that HAR 1.2 demands."""
    file = tmp_path / "a.har"
    recorded(file)
    document = json.loads(file.read_bytes())

    assert ("1.2", []) == (document["log"]["version"], lacking(document))
    assert 15 == len(document["log"]["entries"])


@pytest.mark.slow
def test_a_validator_accepts_a_recording(tmp_path: Path) -> None:
    """A recording of the proxy meets the public schema of HAR 1.2, with bytes and without a body as well."""
    file = tmp_path / "a.har"
    recorded(file)
    assert "" == invalid(file)
    har.write(file, [exchange(method="POST", request_body=b"\xff", body=b"\x89PNG"), exchange(status=204)], Redactor())
    assert "" == invalid(file)


@pytest.mark.slow
def test_the_validator_can_refuse(tmp_path: Path) -> None:
    """A file that lacks a member is refused."""
    assert "required" in invalid(saved(tmp_path, entry()))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Text and bytes of requests and responses come back."""
    file = tmp_path / "a.har"
    exchanges = [
        exchange(method="POST", request_body='{"Subject": "Grüße"}'.encode(), body='"é"'.encode()),
        exchange(url="https://h.example/apim/outlook/c/Mail?a=1&b=", body=b"\x89PNG\xff", status=299),
    ]

    assert 2 == har.write(file, exchanges, Redactor())
    first, second = har.read(file)
    assert (exchanges[0].request_body, exchanges[0].body) == (first.request_body, first.body)
    assert (b"\x89PNG\xff", 299) == (second.body, second.status)
    assert "https://connector.example/apim/outlook/connection2/Mail?a=1&b=" == second.url


def test_a_file_of_a_browser(tmp_path: Path) -> None:
    """Other requests, preflights, and requests without a response or with an injected one are left out."""
    call = entry()
    elsewhere = entry(request={**call["request"], "url": "https://portal.example/"})
    preflight = entry(request={**call["request"], "method": "OPTIONS"})
    aborted = entry(response={**call["response"], "status": 0})
    injected = entry(comment=f"{har.INJECTED}fault busy")

    (read,) = har.read(saved(tmp_path, elsewhere, preflight, call, aborted, injected))
    assert ("GetEmail", 400, b"{}", 0.0125) == (read.operation, read.status, read.body, read.seconds)
    assert {"content-type": "application/json"} == dict(read.headers)


def test_an_odd_file(tmp_path: Path) -> None:
    """A status as text, a comment that is null, and a header beyond ASCII come from some tools."""
    call = entry(comment=None)
    call["request"] = {**call["request"], "headers": [{"name": "x-ms-client-request-id", "value": "Grüße"}]}
    call["response"] = {**call["response"], "status": "400"}

    (read,) = har.read(saved(tmp_path, call))
    assert (400, "Grüße") == (read.status, read.request_headers["x-ms-client-request-id"])


def test_an_address_with_half_a_character(tmp_path: Path) -> None:
    """JSON can hold half of a character, which no address can."""
    call = entry()
    call["request"] = {**call["request"], "url": f"{call['request']['url']}?a=\ud800"}

    with pytest.raises(har.HarError, match=r"is no HAR 1.2 file"):
        har.read(saved(tmp_path, call))


@pytest.mark.parametrize("text", ["", "[]", '{"log": {}}', '{"log": {"entries": [{}]}}', "[" * 100_000])
def test_a_file_that_is_no_har(tmp_path: Path, text: str) -> None:
    """Any other file is an error that names it."""
    file = tmp_path / "b.har"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(har.HarError, match=r"b\.har is no HAR 1.2 file"):
        har.read(file)


def test_a_file_without_calls(tmp_path: Path) -> None:
    """A recording of something else is an error, and so is a file that does not exist."""
    with pytest.raises(har.HarError, match="no request to a connector"):
        har.read(saved(tmp_path))
    with pytest.raises(har.HarError, match="Cannot read"):
        har.read(tmp_path / "nothing.har")
