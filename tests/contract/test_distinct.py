"""What is left of a recording in which the same is done again and again."""

from __future__ import annotations

import json
from typing import Any

from outlook_contract.distinct import distinct
from outlook_contract.exchange import Exchange
from tests.contract.test_redaction import ID, exchange

URL = "https://connector.example/apim/outlook/connection1"
OTHER = ID.replace("D6y", "D6z")


def send(subject: str, **more: Any) -> Exchange:
    body = json.dumps({"To": "a@example.com", "Subject": subject, **more}).encode()
    return exchange(operation="SendEmailV2", method="POST", url=f"{URL}/v2/Mail", request_body=body)


def get(id: str, **members: Any) -> Exchange:
    body = json.dumps({"Id": id, **members}).encode()
    return exchange(operation="GetEmail", url=f"{URL}/Mail/{id}", body=body)


def listed(*items: tuple[str, str]) -> Exchange:
    value = [{"Id": id, "Subject": subject} for id, subject in items]
    return exchange(operation="GetEmailsV2", url=f"{URL}/v2/Mail", body=json.dumps({"value": value}).encode())


def test_a_repetition_goes() -> None:
    """The same call with another text is the same interaction; one with another member is not."""
    first, again, other = send("One"), send("Two"), send("Three", Cc="b@example.com")

    assert [first, other] == distinct([first, again, other])


def test_a_status_makes_a_difference() -> None:
    """A refusal is an interaction of its own."""
    calls = [get(ID), exchange(operation="GetEmail", url=f"{URL}/Mail/{ID}", status=404)]

    assert calls == distinct(calls)


def test_what_a_distinct_call_needs_stays() -> None:
    """A call that is distinct keeps the repetitions that brought its id and made its item."""
    calls = [send("One"), listed((ID, "One")), get(ID), send("Two"), listed((ID, "One"), (OTHER, "Two"))]
    distinct_call = get(OTHER, HasAttachment=True)

    assert [*calls, distinct_call] == distinct([*calls, distinct_call])
    assert calls[:3] == distinct([*calls, get(OTHER)])
