"""Journeys into the connector's limits. On an emulator only: a connection's owner would be locked out by them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import Mailbox
from outlook_contract.plugin import ContractRun

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_PROBE = "TestConnection"
_REASON_SETTINGS = "a new emulator only: a server may be set to other limits"
_TEXT = "Rate limit is exceeded. Try again in {} seconds."


@pytest.fixture
def impatient(mailbox: Mailbox, emulator: Sandbox) -> Iterator[Mailbox]:
    """The mailbox, with a clock that stands still, no calls in the window, and refused calls that are not repeated."""
    emulator.clock.freeze()
    # Earlier calls of the run leave the window.
    emulator.clock.advance("2m")
    mailbox.transport.patient = False
    yield mailbox
    mailbox.transport.patient = True


def _statuses(mailbox: Mailbox, number: int) -> list[int]:
    return [mailbox.call(_PROBE).status for _ in range(number)]


def test_a_call_too_many_is_refused(impatient: Mailbox, emulator: Sandbox) -> None:
    """The call after the last allowed one is 429, with Retry-After and its number in the text. Documented by Azure."""
    emulator.limits(calls=3)
    impatient.equal(_PROBE, "status", _statuses(impatient, 3), [200] * 3)
    refused = impatient.call(_PROBE)
    impatient.equal(_PROBE, "status", refused.status, 429)
    impatient.equal(_PROBE, "Retry-After", refused.headers.get("retry-after"), "60")
    impatient.equal(_PROBE, "body", refused.json(), {"statusCode": 429, "message": _TEXT.format(60)})
    emulator.clock.advance("60s")
    impatient.equal(_PROBE, "status", _statuses(impatient, 4), [200, 200, 200, 429])


def test_the_window_slides(impatient: Mailbox, emulator: Sandbox) -> None:
    """Each call is allowed again when it is a period old, and not when a minute begins. API Management's page."""
    emulator.limits(calls=3)
    seen = []
    for step, number in ((0, 1), (59, 3), (1, 2), (58, 1), (1, 3)):
        emulator.clock.advance(step)
        seen.append(_statuses(impatient, number))
    expected = [[200], [200, 200, 429], [200, 429], [429], [200, 200, 429]]
    impatient.equal(_PROBE, "status", seen, expected)


def test_retry_after_is_enough(impatient: Mailbox, emulator: Sandbox) -> None:
    """A client that waits as long as Retry-After says is let in, and one that waits a second less is not. Inferred."""
    emulator.limits(calls=2)
    _statuses(impatient, 1)
    emulator.clock.advance(20)
    _statuses(impatient, 1)
    emulator.clock.advance(10)
    refused = impatient.call(_PROBE)
    impatient.equal(_PROBE, "Retry-After", refused.headers.get("retry-after"), "30")
    emulator.clock.advance(29)
    impatient.equal(_PROBE, "status", _statuses(impatient, 1), [429])
    emulator.clock.advance(1)
    impatient.equal(_PROBE, "status", _statuses(impatient, 2), [200, 429])


def test_refused_calls_do_not_count(impatient: Mailbox, emulator: Sandbox) -> None:
    """A refused call does not use up a call of the window. Inferred from API Management's page."""
    emulator.limits(calls=1)
    impatient.equal(_PROBE, "status", _statuses(impatient, 1), [200])
    emulator.clock.advance(30)
    impatient.equal(_PROBE, "status", _statuses(impatient, 5), [429] * 5)
    emulator.clock.advance(30)
    impatient.equal(_PROBE, "status", _statuses(impatient, 1), [200])


def test_a_refused_call_changes_nothing(impatient: Mailbox, own_address: str, emulator: Sandbox) -> None:
    """A mail whose call was refused is not sent, and is after the wait."""
    emulator.limits(calls=1)
    _statuses(impatient, 1)
    body = {"To": own_address, "Subject": impatient.name("Refused"), "Body": "<p>x</p>"}
    impatient.refused("SendEmailV2", 429, body)
    emulator.limits(calls=0)
    impatient.equal("SendEmailV2", "", impatient.find(body["Subject"]), None)
    impatient.ok("SendEmailV2", body)
    impatient.mail(body["Subject"])


def test_each_connection_has_its_own_calls(impatient: Mailbox, partner: Mailbox, emulator: Sandbox) -> None:
    """The calls of one connection do not use up those of another. Documented: the limit is for each connection."""
    emulator.limits(calls=2)
    impatient.equal(_PROBE, "status", _statuses(impatient, 3), [200, 200, 429])
    partner.transport.patient = False
    try:
        impatient.equal(_PROBE, "status", _statuses(partner, 3), [200, 200, 429])
    finally:
        partner.transport.patient = True


def test_too_many_bytes_at_once_are_refused(impatient: Mailbox, own_address: str, emulator: Sandbox) -> None:
    """A request with more bytes than may be in transfer is 429; smaller ones are let in, however many. Inferred."""
    emulator.limits(bytesInFlight=20_000)
    body = {"To": own_address, "Subject": impatient.name("Heavy"), "Body": "x" * 30_000}
    refused = impatient.refused("SendEmailV2", 429, body)
    held = "retry-after" in refused.headers
    impatient.holds("SendEmailV2", "Retry-After", dict(refused.headers), "a Retry-After", held)
    for _ in range(3):
        impatient.ok("SendEmailV2", {**body, "Body": "x" * 10_000})


def test_the_limits_are_those_of_the_documentation(contract: ContractRun, mailbox: Mailbox, emulator: Sandbox) -> None:
    """300 calls in 60 seconds, 30 at once, 300 MB in transfer, 50 MB a mail, 1 MB an image, 100 options."""
    if contract.target.name != "emulator":
        pytest.skip(_REASON_SETTINGS)
    sandboxes, name = emulator.server.admin("/sandboxes"), mailbox.marker
    sandboxes.request("POST", "", json={"name": name})
    limits = sandboxes.request("GET", f"/{name}/limits")
    sandboxes.request("DELETE", f"/{name}")
    megabyte = 1024 * 1024
    expected = {"calls": 300, "period": 60, "concurrentRequests": 30, "bytesInFlight": 300 * megabyte}
    expected |= {"mailBytes": 50 * megabyte, "inlineImageBytes": megabyte, "options": 100}
    mailbox.members(_PROBE, "limits", limits, expected)


def test_too_many_calls_at_once_are_refused(impatient: Mailbox, emulator: Sandbox) -> None:
    """While as many calls are under way as are allowed, another one is 429; it is let in after them. Inferred."""
    emulator.limits(concurrentRequests=2)
    connection = impatient.url.rpartition("/")[2]
    emulator.faults.add(operation=_PROBE, times=2, delay="1h", delay_by="clock")

    def under_way() -> Any:
        uses = {use["connection"]: use for use in emulator.limits()["connections"]}
        return uses.get(connection, {}).get("concurrentRequests") == 2

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(impatient.http.get, "/testconnection") for _ in range(2)]
        try:
            for _ in range(1000):
                if under_way():
                    break
            refused = impatient.http.get("/testconnection")
        finally:
            emulator.clock.advance("2h")
        impatient.equal(_PROBE, "status", refused.status_code, 429)
        impatient.holds(_PROBE, "Retry-After", refused.headers, "a Retry-After", "retry-after" in refused.headers)
        impatient.equal(_PROBE, "status", [call.result().status_code for call in held], [200, 200])
    impatient.equal(_PROBE, "status", _statuses(impatient, 1), [200])
