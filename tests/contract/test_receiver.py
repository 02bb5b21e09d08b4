"""The receiver of callbacks."""

from __future__ import annotations

import httpx

from outlook_contract.receiver import receiving


def test_callbacks_are_received_in_order() -> None:
    """Each callback is there with its path, query, headers and body."""
    with receiving() as receiver:
        for number in range(2):
            httpx.post(f"{receiver.url}/{number}?sig=a%2Fb", content=f"body {number}", headers={"X-Id": "me"})
        first, second = receiver.wait(2)

    assert ("POST", "/0?sig=a%2Fb", b"body 0") == (first.method, first.path, first.body)
    assert ("/1?sig=a%2Fb", b"body 1", "me") == (second.path, second.body, second.headers["x-id"])
