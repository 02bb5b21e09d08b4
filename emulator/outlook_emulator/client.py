"""A small client of a running emulator. It imports no part of the server."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from outlook_emulator.settings import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse
    from ssl import SSLContext

    OnTransfer = Callable[[str, int, int], object]
    """Receives what happens, such as `sending`, how many bytes have passed, and how many there are; 0 for unknown."""

URL = "OUTLOOK_EMULATOR_URL"
TOKEN = "OUTLOOK_EMULATOR_ADMIN_TOKEN"
CA_FILE = "OUTLOOK_EMULATOR_CA_FILE"
_FACT = re.compile(r"(url|store|ca)=(.*?)(?= (?:url|store|ca)=|$)")
TIMEOUT = 10.0
"""Seconds to wait for a response."""
JSON = "application/json"
_PART = 1 << 16
"""Bytes of a body between two reports of a transfer."""
WAITING = "waiting for the emulator"


def server_url() -> str:
    """The URL of the environment or of its ready file, or that of a server here with the environment's settings."""
    return os.environ.get(URL) or ready_facts().get("url") or _local()


def ready_facts(line: str | None = None) -> dict[str, str]:
    """The `url`, `store` and `ca` of a ready line; by default, of the one in the ready file of the environment."""
    return dict(_FACT.findall(_ready_line() if line is None else line))


def _ready_line() -> str:
    from pathlib import Path

    file = _setting("ready_file")
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\n") if file else ""
    # No server is ready yet.
    except OSError:
        return ""


def fetch(
    method: str,
    url: str,
    body: object = None,
    timeout: float = TIMEOUT,
    *,
    token: str | None = None,
    ca_file: str | None = None,
    content_type: str = JSON,
    on_transfer: OnTransfer | None = None,
) -> tuple[int, bytes]:
    """Send one request, and return status and content. Without a response, they are 0 and the reason as text.

    A body of bytes is sent as it is, any other as JSON. `token` is the admin token, `ca_file` a PEM file of CA
    certificates to trust for https. If they are None, the environment has them. `on_transfer` is called for each part
    of the body that is sent or received.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPSHandler, ProxyHandler, build_opener

    try:
        request = _request(method, url, body, token, content_type)
        if on_transfer is not None and request.data:
            content = request.data
            # In this order: new data removes the length.
            request.data = _parts(content, on_transfer)
            request.add_header("Content-Length", str(len(content)))
        # Without proxies, which cannot reach a server on this machine's loopback.
        handlers = [ProxyHandler({}), *([HTTPSHandler(context=_trust(ca_file))] if request.type == "https" else [])]
        with build_opener(*handlers).open(request, timeout=timeout) as response:
            return int(response.status), _content(response, on_transfer)
    # A status above 399 is a response like any other.
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (HTTPException, OSError, ValueError) as error:
        return 0, (str(getattr(error, "reason", error)) or type(error).__name__).encode(errors="replace")


def _parts(body: bytes, on_transfer: OnTransfer) -> Iterator[bytes]:
    for start in range(0, len(body), _PART):
        yield body[start : start + _PART]
        on_transfer("sending", min(start + _PART, len(body)), len(body))
    on_transfer(WAITING, 0, 0)


def _content(response: HTTPResponse, on_transfer: OnTransfer | None) -> bytes:
    if on_transfer is None:
        return response.read()
    from http.client import IncompleteRead

    content, total = bytearray(), int(response.headers.get("Content-Length", 0))
    while part := response.read(_PART):
        content += part
        on_transfer("receiving", len(content), total)
    # Only a response that is read at once says so itself.
    if len(content) < total:
        raise IncompleteRead(bytes(content), total - len(content))
    return bytes(content)


def _request(method: str, url: str, body: object, token: str | None, content_type: str) -> Any:
    from urllib.request import Request

    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    scheme, separator, rest = url.partition("://")
    # A base URL may end in a slash.
    request = Request(scheme + separator + rest.replace("//", "/"), data, {"Content-Type": content_type}, method=method)
    if secret := _secret(token):
        # The token must not follow a redirect to another server.
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
    return request


def _secret(token: str | None) -> str:
    """The admin token to send, empty without one. Raises ValueError."""
    secret = (os.environ.get(TOKEN, "") if token is None else token).strip()
    if not (secret.isascii() and secret.isprintable()):
        # Checked here, since the error of http.client would contain the token.
        raise ValueError("the admin token must be printable ASCII")
    return secret


def _trust(ca_file: str | None) -> SSLContext:
    """A TLS context with the CA file of the caller or of the environment. Raises ValueError."""
    return trusting(own_ca_file() if ca_file is None else ca_file)


def own_ca_file() -> str:
    """The CA file of the environment, or that of the user's certificate authority; empty without one."""
    # A server with the settings of this environment writes its certificate to `tls_ca_file`.
    if file := os.environ.get(CA_FILE) or ready_facts().get("ca") or _setting("tls_ca_file"):
        return file
    from outlook_emulator import certificates

    try:
        authority = certificates.certificate_file(certificates.folder(_setting("ca_folder")))
        return str(authority) if authority.exists() else ""
    # Without a home folder, or with that of another user.
    except (ValueError, OSError):
        return ""


def trusting(ca_file: str) -> SSLContext:
    """A TLS context that trusts the CAs of the system, and those in a PEM file. Raises ValueError."""
    from ssl import create_default_context

    context = create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise ValueError(f"cannot read certificates from {ca_file}: {error.strerror or error}") from None
    return context


def _local() -> str:
    """The URL of a server on this machine with the settings of the environment."""
    return f"http{'s' if _setting('tls') == 'yes' else ''}://127.0.0.1:{_setting('port')}"


def _setting(name: str) -> str:
    """The value of a setting in the environment, or its default."""
    (option,) = (option for option in options() if option.name == name)
    return os.environ.get(option.variable, str(option.default))
