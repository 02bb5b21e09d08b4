"""One HTTP callback: it has a timeout, follows no redirects, and returns failures as values."""

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
    """The result of a callback: the status of the response, or the error without one."""

    status: int | None
    error: str | None = None


async def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Outcome:
    """POST to a URL and wait at most `timeout` seconds for the response's status; its body is not read."""
    outcome, _ = await _call(url, body, headers, timeout, echo=0)
    return outcome


async def echoes(url: str, token: str, timeout: float) -> bool:
    """Whether a subscriber answers a `validationToken` with 200, `text/plain` and the token (recorded)."""
    target = f"{url}{'&' if '?' in url else '?'}validationToken={quote(token)}"
    # One byte more, to notice a response that goes on after the token.
    outcome, echo = await _call(target, b"", {}, timeout, echo=len(token) + 1)
    return outcome.status == 200 and echo == token.encode()


async def _call(
    url: str, body: bytes, headers: Mapping[str, str], timeout: float, echo: int
) -> tuple[Outcome, bytes | None]:
    """The outcome, and at least the first `echo` bytes of a plain text response."""
    # Imported late: httpx takes longer to import than a server to start, and few sandboxes have callbacks.
    import httpx

    try:
        async with (
            # One limit for the whole call: httpx limits each step, so a trickling response would never end. Proxies of
            # the environment cannot reach this machine's own addresses.
            asyncio.timeout(timeout),
            httpx.AsyncClient(verify=_tls(url.startswith("https")), timeout=None, trust_env=False) as client,
            client.stream("POST", url, content=body, headers={"User-Agent": _AGENT, **headers}) as response,
        ):
            return Outcome(response.status_code), await _start(response, echo)
    except TimeoutError:
        return Outcome(None, f"no answer within {timeout:g} s"), None
    except Exception as error:
        # Any failure, from a refused connection to an invalid host name, must not stop other callbacks.
        return Outcome(None, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]), None


async def _start(response: httpx.Response, size: int) -> bytes | None:
    if not size or response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return None
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) >= size:
            break
    return content


@cache
def _tls(verified: bool) -> SSLContext | bool:
    import httpx

    # Loading the trusted certificates is slow, so it is done once, and only for https.
    return httpx.create_ssl_context(trust_env=False) if verified else False
