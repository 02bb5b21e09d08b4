"""Breaks a connection on purpose: resets it, or sends half a body and closes it or stalls.

ASGI has no means for this. A server puts its transport into the scope under `TRANSPORT`. Without one, as in a test
without a socket, `HungUp` is raised out of the app, and the client turns it into an error.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send

from outlook_emulator.clock import LATEST
from outlook_emulator.errors import StartedOver
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.exchange import Response
from outlook_emulator.traffic.fault_plan import Break
from outlook_emulator.traffic.faults import CUT, RESET

TRANSPORT = "outlook-emulator.transport"
_NOW = struct.pack("ii", 1, 0)
"""The socket option to linger for 0 seconds: closing such a socket resets the connection."""


class HungUp(Exception):
    """A connection that the emulator broke on purpose; `how` is reset, cut or stall."""

    def __init__(self, how: Break) -> None:
        super().__init__(f"The emulator broke this connection, as a fault rule says: {how}.")
        self.how = how


def malformed(response: Response) -> Response:
    """A response whose JSON is cut in half, with the right length of what is left."""
    # An empty body has no half, so it gets the start of a list.
    return response._replace(body=response.body[: len(response.body) // 2] or b'{"value":[')


async def send_broken(
    scope: Scope, receive: Receive, send: Send, response: Response, common: list[tuple[bytes, bytes]], sandbox: Sandbox
) -> Break:
    """Send what is to arrive of a response, then break the connection; returns how it was broken.

    A stalled body ends when the client hangs up, or when the sandbox is reset or deleted. Raises HungUp without a
    transport.
    """
    how: Break = response.breaks or RESET
    transport: Any = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise HungUp(how)
    if how == RESET:
        await _abort(transport, receive)
        return how
    # Announce at least one byte that does not come, or nothing would be missing.
    announced = (b"content-length", b"%d" % max(len(response.body), 1))
    headers: list[Any] = [*common, announced, *response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body[: len(response.body) // 2], "more_body": True})
    if how == CUT:
        transport.close()
        await gone(receive)
    else:
        await _stall(receive, sandbox)
        await _abort(transport, receive)
    return how


async def _abort(transport: Any, receive: Receive) -> None:
    # If the client hung up first, there is no socket left to set an option on.
    if not transport.is_closing():
        _reset(transport)
    await gone(receive)


def _reset(transport: Any) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    transport.abort()


def has_hung_up(scope: Scope) -> bool:
    """Whether the client is known to have hung up."""
    transport: Any = scope.get("extensions", {}).get(TRANSPORT)
    return transport is not None and transport.is_closing()


async def gone(receive: Receive) -> None:
    """Wait until the server reports the disconnect. An app that returned earlier would be blamed for no response."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stall(receive: Receive, sandbox: Sandbox) -> None:
    with sandbox.traffic.waits.until(LATEST) as wait:
        # At once: nothing more is to be done for this request, so no move of the clock has to wait for it.
        wait.settle()
        ends = [asyncio.ensure_future(gone(receive)), asyncio.ensure_future(wait.pass_until(sandbox.clock))]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        for outcome in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, StartedOver):
                raise outcome
