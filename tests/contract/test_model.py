"""The model catches targets that go wrong in one place, and prints a script that shows the error again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from outlook_contract.mailbox import Mailbox, Report
from outlook_contract.suite.test_model import disagreement
from outlook_contract.targets import Party
from outlook_contract.transport import Access, Pace
from outlook_emulator.testing import Server
from tests.processes import HUNG_AFTER

Change = Callable[[httpx.Request, Callable[[httpx.Request], httpx.Response]], httpx.Response]


class Lying(httpx.BaseTransport):
    """A transport that changes requests or responses on the way."""

    def __init__(self, inner: httpx.BaseTransport, change: Change) -> None:
        self._inner = inner
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._change(request, self._inner.handle_request)


def mailbox_on(server: Server, change: Change) -> Mailbox:
    """A mailbox of a new sandbox, behind a transport that lies."""
    sandbox = server.sandbox("model")
    sandbox.limits(calls=0)
    connection = sandbox.connect("me")
    access = Access(connection.url, lambda: "Bearer token")
    party = Party(access, connection.address, lambda: Lying(server.transport(), change))
    return Mailbox(party, "contract-model", Pace(0), Report(), microsoft=False, read_only=False, patience=0)


def _with_json(response: httpx.Response, edit: Callable[[Any], Any]) -> httpx.Response:
    response.read()
    if not response.content or "json" not in response.headers.get("content-type", ""):
        return response
    return httpx.Response(response.status_code, json=edit(response.json()), headers=_kept(response))


def _kept(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name in ("location", "retry-after")}


def _listed(edit: Callable[[list[Any]], list[Any]]) -> Change:
    """Changes the items of every list of mails."""

    def change(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        response = send(request)
        if request.method == "GET" and request.url.path.endswith("/v2/Mail"):
            return _with_json(response, lambda document: {**document, "value": edit(document["value"])})
        return response

    return change


def _every(member: str, value: Any) -> Change:
    return _listed(lambda mails: [{**mail, member: value} for mail in mails])


def _swallowed(method: str, part: str, status: int = 200) -> Change:
    """Answers a request without passing it on."""

    def change(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        return httpx.Response(status) if request.method == method and part in request.url.path else send(request)

    return change


def _sent(method: str, part: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """Changes the bodies of some requests."""

    def change(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        if request.method == method and part in request.url.path:
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            request = httpx.Request(method, request.url, headers=headers, json=edit(json.loads(request.read())))
        return send(request)

    return change


def _unread_filter_ignored(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    if request.url.params.get("fetchOnlyUnread") == "true":
        request.url = request.url.copy_set_param("fetchOnlyUnread", "false")
    return send(request)


def _stale_ids_work(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    response = send(request)
    is_read = request.method == "GET" and "/Mail/" in request.url.path
    return httpx.Response(200, json={}) if is_read and response.status_code == 404 else response


def _cursor_stays(request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    response = send(request)
    if "LastPollInformation" in request.url.params:
        response.headers["Location"] = str(request.url)
    return response


def _without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {name: value for name, value in body.items() if name not in names}


ERRORS: dict[str, Change] = {
    "every mail is read": _every("IsRead", True),
    "importance is always normal": _every("Importance", 1),
    "no mail has an attachment": _every("HasAttachment", False),
    "oldest first": _listed(lambda mails: mails[::-1]),
    "the newest mail is missing": _listed(lambda mails: mails[1:] if len(mails) > 1 else mails),
    "the unread filter is ignored": _unread_filter_ignored,
    "marking as read has no effect": _swallowed("POST", "/MarkAsRead/"),
    "deleting an event has no effect": _swallowed("DELETE", "/calendars/"),
    "deleting a contact has no effect": _swallowed("DELETE", "/contacts/"),
    "stale ids work": _stale_ids_work,
    "a trigger fires twice": _cursor_stays,
    "an update keeps the location": _sent("PATCH", "/calendars/", lambda body: {"Location": "Room 3", **body}),
    "the company of a contact is lost": _sent("POST", "/contacts/", _without("CompanyName")),
    "phones of a contact are lost": _sent("PATCH", "/contacts/", _without("HomePhones")),
}


@pytest.fixture(scope="module")
def server() -> Any:
    with Server.in_process() as server:
        yield server


@pytest.mark.slow
def test_an_emulator_agrees(server: Server) -> None:
    """The emulator as it is agrees with the model."""
    assert disagreement(mailbox_on(server, lambda request, send: send(request)), 20) is None


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
def test_a_planted_error_is_caught(server: Server, error: str) -> None:
    """Each of these errors makes the target differ from the model."""
    assert disagreement(mailbox_on(server, ERRORS[error]), 40, shrinks=False) is not None


@pytest.mark.slow
def test_the_script_repeats_the_calls(server: Server) -> None:
    """The printed script sends the same calls to another server, with that server's ids."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    difference = disagreement(mailbox_on(server, ERRORS["marking as read has no effect"]), 40)
    assert difference is not None
    with Server.started() as other:
        url = other.sandbox("script").connect("me").url
        run = subprocess.run(
            ["sh", "-s"],
            input=difference[1],
            capture_output=True,
            text=True,
            env={**os.environ, "URL": url},
            timeout=HUNG_AFTER,
        )
    assert run.returncode == 0, run.stderr
    assert '"IsRead":true' in run.stdout.splitlines()[-1]
