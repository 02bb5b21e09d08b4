"""One HTTP call to somebody else: it ends in time, is never led elsewhere, and its failure is a value."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

_LONGEST_ERROR = 500
_AGENT = "outlook-connector-emulator"


class Outcome(NamedTuple):
    """How a call ended: with the status of an answer, or with the error that kept one from coming."""

    status: int | None
    error: str | None = None


async def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Outcome:
    """Call a URL and wait no longer than `timeout` seconds for the head of its answer; the rest is not read."""
    outcome, _ = await _call(url, body, headers, timeout, echo=0)
    return outcome


async def echoes(url: str, token: str, timeout: float) -> bool:
    """Whether a subscriber answers the `validationToken` it is sent with 200, `text/plain` and the token (recorded)."""
    asked = f"{url}{'&' if '?' in url else '?'}validationToken={quote(token)}"
    outcome, echo = await _call(asked, b"", {}, timeout, echo=len(token) + 1)
    return outcome.status == 200 and echo == token.encode()


async def _call(
    url: str, body: bytes, headers: Mapping[str, str], timeout: float, echo: int
) -> tuple[Outcome, bytes | None]:
    """The outcome, and the first `echo` bytes at least of an answer in plain text."""
    # Few sandboxes ever call anybody, and the library takes longer to import than a server to start.
    import httpx

    try:
        async with (
            asyncio.timeout(timeout),
            httpx.AsyncClient(verify=_tls(url.startswith("https")), timeout=None, trust_env=False) as client,
            client.stream("POST", url, content=body, headers={"User-Agent": _AGENT, **headers}) as answer,
        ):
            return Outcome(answer.status_code), await _start(answer, echo)
    except TimeoutError:
        return Outcome(None, f"no answer within {timeout:g} s"), None
    except Exception as error:
        # Whatever it is, from a refused connection to a name that cannot be encoded, it must not stop the others.
        return Outcome(None, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]), None


async def _start(answer: httpx.Response, size: int) -> bytes | None:
    if not size or answer.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return None
    found = b""
    async for part in answer.aiter_bytes():
        found += part
        if len(found) >= size:
            break
    return found


@cache
def _tls(verified: bool) -> SSLContext | bool:
    import httpx

    # Reading the trusted certificates takes a while, so it is done once, and only where they count.
    return httpx.create_ssl_context(trust_env=False) if verified else False
