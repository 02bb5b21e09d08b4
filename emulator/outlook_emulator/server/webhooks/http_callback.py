"""One HTTP callback: it has a timeout, follows no redirects, and returns failures as values."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from outlook_emulator.mailbox.triggers.callbacks import leads_here
from outlook_emulator.sandbox.aside import aside

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

_LONGEST_ERROR = 500
_AGENT = "outlook-connector-emulator"
_loaded: set[bool] = set()
"""Whether what calls without and with TLS need has been loaded."""


class Outcome(NamedTuple):
    """The result of a callback: the status of the response, or the error without one."""

    status: int | None
    error: str | None = None


class _Target(NamedTuple):
    """Where a request goes, with the headers and the options of httpx that this takes."""

    url: str
    headers: Mapping[str, str] = {}
    extensions: dict[str, Any] = {}


async def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float, *, away: bool = False) -> Outcome:
    """POST to a URL and wait at most `timeout` seconds for the response's status; its body is not read.

    With `away`, the callback fails if the URL leads to this machine.
    """
    outcome, _ = await _call(url, body, headers, timeout, echo=0, away=away)
    return outcome


async def echoes(url: str, token: str, timeout: float, *, away: bool = False) -> bool:
    """Whether a subscriber answers a `validationToken` with 200, `text/plain` and the token (recorded)."""
    target = f"{url}{'&' if '?' in url else '?'}validationToken={quote(token)}"
    # One byte more, to notice a response that goes on after the token.
    outcome, echo = await _call(target, b"", {}, timeout, echo=len(token) + 1, away=away)
    return outcome.status == 200 and echo == token.encode()


async def _call(
    url: str, body: bytes, headers: Mapping[str, str], timeout: float, echo: int, away: bool
) -> tuple[Outcome, bytes | None]:
    """The outcome, and at least the first `echo` bytes of a plain text response."""
    is_secure = url.startswith("https")
    if is_secure not in _loaded:
        await aside(_load, is_secure)
        _loaded.add(is_secure)
    import httpx

    try:
        # One limit for the whole call: httpx limits each step, so a trickling response would never end.
        async with asyncio.timeout(timeout):
            target = await _away(url) if away else _Target(url)
            fields = {"User-Agent": _AGENT, **headers, **target.headers}
            async with (
                # Proxies of the environment cannot reach this machine's own addresses.
                httpx.AsyncClient(verify=_tls(is_secure), timeout=None, trust_env=False) as client,
                client.stream(
                    "POST", target.url, content=body, headers=fields, extensions=target.extensions
                ) as response,
            ):
                return Outcome(response.status_code), await _start(response, echo)
    except TimeoutError:
        return Outcome(None, f"no answer within {timeout:g} s"), None
    except Exception as error:
        # Any failure, from a refused connection to an invalid host name, must not stop other callbacks.
        return Outcome(None, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]), None


async def _away(url: str) -> _Target:
    """The target of a request to the address behind a URL. Raises PermissionError if one of them is this machine's.

    The request goes to the address that was looked at: a second look-up could get another one.
    """
    import httpx

    parts = httpx.URL(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    answers = await asyncio.get_running_loop().getaddrinfo(parts.host, port, type=socket.SOCK_STREAM)
    addresses = [str(address[0]).partition("%")[0] for *_, address in answers]
    if any(map(leads_here, addresses)):
        raise PermissionError(f"the host leads to this machine ({addresses[0]}), which callback_hosts does not name")
    # The certificate is that of the name.
    extensions = {"sni_hostname": parts.host}
    return _Target(str(parts.copy_with(host=addresses[0])), {"Host": parts.netloc.decode("ascii")}, extensions)


async def _start(response: httpx.Response, size: int) -> bytes | None:
    if not size or response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return None
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) >= size:
            break
    return content


def _load(is_secure: bool) -> None:
    """Import what calls need. It takes longer than a server to start, and few sandboxes have callbacks."""
    import httpx

    async def call() -> None:
        # It imports more when a client is made, and still more with the first call. Nobody listens at the port 0.
        async with httpx.AsyncClient(verify=_tls(is_secure), trust_env=False) as client:
            with suppress(httpx.HTTPError, OSError):
                await client.post("http://127.0.0.1:0")

    asyncio.run(call())


@cache
def _tls(verified: bool) -> SSLContext | bool:
    import httpx

    # Loading the trusted certificates is slow, so it is done once, and only for https.
    return httpx.create_ssl_context(trust_env=False) if verified else False
