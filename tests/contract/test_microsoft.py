"""Microsoft's client sends the same requests as plain HTTP, over the transport of the run."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest
from azure.connectors.outlook import OutlookClient

from outlook_contract.microsoft import METHODS, MicrosoftClient
from outlook_contract.routes import routes

URL = "https://example.com/apim/outlook/own"


def recorded(status: int = 200, content: bytes = b"{}") -> tuple[list[httpx.Request], MicrosoftClient]:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, content=content, headers={"Content-Type": "application/json"})

    return requests, MicrosoftClient(URL, httpx.Client(transport=httpx.MockTransport(respond)))


def test_every_method_of_the_client_is_used() -> None:
    """The table names each method of Microsoft's client once, and only operations that exist."""
    methods = {name for name, _ in inspect.getmembers(OutlookClient, inspect.iscoroutinefunction)}
    own = {name for name in methods if name.endswith("_async")}

    assert own == set(METHODS.values())
    assert len(METHODS) == len(set(METHODS.values()))
    assert METHODS.keys() <= routes().keys()


@pytest.mark.parametrize(
    ("operation", "parameters", "body", "method", "path"),
    [
        ("GetEmailsV2", {"folderPath": "Inbox", "top": 3}, None, "GET", "/v2/Mail"),
        ("SendEmailV2", {}, {"To": "a@example.com"}, "POST", "/v2/Mail"),
        ("DeleteEmail", {"messageId": "id"}, None, "DELETE", "/Mail/id"),
    ],
)
def test_request(operation: str, parameters: dict[str, Any], body: Any, method: str, path: str) -> None:
    """A call becomes one request."""
    requests, client = recorded()
    assert client.covers(operation, parameters)
    client.call(operation, parameters, body)
    (request,) = requests

    assert (method, f"/apim/outlook/own{path}") == (request.method, request.url.path)
    assert {name: str(value) for name, value in parameters.items() if name != "messageId"}.items() <= dict(
        request.url.params
    ).items()


def test_what_the_client_does_not_cover() -> None:
    """Operations and parameters that the client lacks go over plain HTTP, and so do nulls, which it leaves out."""
    _, client = recorded()

    assert not client.covers("SendEmailV2", {}, {"To": "a@example.com", "Attachments": [{"ContentBytes": None}]})

    assert not client.covers("SendEmail", {})
    assert not client.covers("GetEmailsV2", {"unheardOf": 1})


def test_refusal_is_one_request() -> None:
    """A refusal is no error of the call, and the client does not repeat it."""
    requests, client = recorded(503, b'{"message": "later"}')
    client.call("GetEmail", {"messageId": "id"})

    assert 1 == len(requests)


def test_bytes() -> None:
    """An attachment that is no text is no error of the call."""
    requests, client = recorded(content=b"\xff\xfe\x00")
    client.call("GetAttachment", {"messageId": "id", "attachmentId": "a"})

    assert 1 == len(requests)


def test_interrupt() -> None:
    """Ctrl+C during a call ends the run: the client's event loop does not swallow it."""

    def interrupted(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    client = MicrosoftClient(URL, httpx.Client(transport=httpx.MockTransport(interrupted)))
    with pytest.raises(KeyboardInterrupt):
        client.call("GetEmail", {"messageId": "id"})
