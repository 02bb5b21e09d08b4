"""The recording proxy: it passes everything on, keeps a caller's later requests on it, and records what it saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from outlook_contract.har import read
from outlook_contract.record import recording
from tests.conftest import Connection
from tests.stub import stubbed

pytestmark = pytest.mark.slow


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def test_a_location_leads_through_the_proxy(alice: Connection, http: httpx.Client, tmp_path: Path) -> None:
    """A caller that follows the location of a trigger is recorded too."""
    file = tmp_path / "a.har"
    with recording(alice.url, file) as (url, _):
        response = http.get(f"{url}/Mail/OnNewEmail", headers={"Authorization": "Bearer x"})
        location = response.headers["location"]
        assert location.startswith(url)
        assert 202 == http.get(location, headers={"Authorization": "Bearer x"}).status_code

    assert [202, 202] == [exchange.status for exchange in read(file)]
    assert "http://127.0.0.1" not in file.read_text(encoding="utf-8")


def test_a_response_is_passed_on_as_it_is(http: httpx.Client, tmp_path: Path) -> None:
    """Status, headers and bytes are those of the target, and it gets what the caller sent."""
    with stubbed() as stub:
        stub.respond = lambda request: (207, "application/x-any", b"\x00\xff" * 1000)
        with recording(f"{stub.url}/apim/outlook/c", tmp_path / "a.har") as (url, har):
            response = http.put(f"{url}/a%252Fb?x=%20y", content=b"{}", headers={"X-Mine": "1"})
            assert (207, b"\x00\xff" * 1000) == (response.status_code, response.content)
            assert "application/x-any" == response.headers["content-type"]
    (request,) = stub.requests

    assert ("PUT", "/apim/outlook/c/a%252Fb?x=%20y", b"{}") == (request.method, request.path, request.body)
    assert ("1", 1) == (request.headers["x-mine"], har.count)
    assert stub.url.endswith(request.headers["host"])


def test_a_credential_of_the_recorder(http: httpx.Client, tmp_path: Path) -> None:
    """The recorder can add the credential, so that callers need none; it is not in the file."""
    file = tmp_path / "a.har"
    with stubbed() as stub, recording(stub.url, file, authorization=lambda: "Key q1w2e3r4t5") as (url, _):
        http.get(f"{url}/apim/outlook/c/testconnection", headers={"Authorization": "Bearer none"})
    (request,) = stub.requests

    assert "Key q1w2e3r4t5" == request.headers["authorization"]
    assert "q1w2e3r4t5" not in file.read_text(encoding="utf-8")


def test_a_target_that_does_not_respond(http: httpx.Client, tmp_path: Path) -> None:
    """The caller gets a 502, and the recording stays valid."""
    file = tmp_path / "a.har"
    with recording("http://127.0.0.1:9/apim/outlook/c", file) as (url, _):
        assert 502 == http.get(f"{url}/Mail").status_code

    assert [] == json.loads(file.read_bytes())["log"]["entries"]


def test_other_requests_are_not_recorded(http: httpx.Client, tmp_path: Path) -> None:
    """What does not go to a connector is passed on and forgotten."""
    with stubbed() as stub, recording(stub.url, tmp_path / "a.har") as (url, har):
        http.get(f"{url}/health")

    assert (1, 0) == (len(stub.requests), har.count)
