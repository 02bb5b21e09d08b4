"""The receiver of callbacks."""

from __future__ import annotations

import socket

import httpx
import pytest

from outlook_contract.receiver import receiving


def test_callbacks_are_received_in_order() -> None:
    """Each callback is there with its path, query, headers and body."""
    with receiving() as receiver:
        for number in range(2):
            httpx.post(f"{receiver.url}/{number}?sig=a%2Fb", content=f"body {number}", headers={"X-Id": "me"})
        first, second = receiver.wait(2)

    assert ("POST", "/0?sig=a%2Fb", b"body 0") == (first.method, first.path, first.body)
    assert ("/1?sig=a%2Fb", b"body 1", "me") == (second.path, second.body, second.headers["x-id"])


@pytest.mark.parametrize("prefix", ["", "/hooks"])
def test_a_receiver_behind_a_tunnel(prefix: str) -> None:
    """Its URL is that of the tunnel, which may keep the path; callbacks to others are not its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with receiving(port, "https://tunnel.example/hooks/") as receiver:
        assert receiver.url.startswith("https://tunnel.example/hooks/")
        own = receiver.url.removeprefix("https://tunnel.example/hooks")
        for path in ("/of-another", f"{own}/mine?x=1"):
            assert 200 == httpx.post(f"http://127.0.0.1:{port}{prefix}{path}").status_code
        (callback,) = receiver.wait()

    assert "/mine?x=1" == callback.path
