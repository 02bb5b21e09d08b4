"""What a program needs to talk to a running emulator: where it is, and one call to it. Nothing of a server in here."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from outlook_emulator.settings import options

if TYPE_CHECKING:
    from ssl import SSLContext

URL = "OUTLOOK_EMULATOR_URL"
TOKEN = "OUTLOOK_EMULATOR_ADMIN_TOKEN"
CA_FILE = "OUTLOOK_EMULATOR_CA_FILE"
PATIENCE = 10.0
"""Seconds after which a server that does not answer is taken to be none."""
JSON = "application/json"


def server_url() -> str:
    """The emulator this environment means: the one `OUTLOOK_EMULATOR_URL` names, or one on this machine."""
    return os.environ.get(URL) or _local()


def call(
    method: str,
    url: str,
    body: object = None,
    patience: float = PATIENCE,
    *,
    token: str | None = None,
    ca_file: str | None = None,
    content_type: str = JSON,
) -> tuple[int, str]:
    """One request to a running emulator, as `fetch` makes it: status and text."""
    status, content = fetch(method, url, body, patience, token=token, ca_file=ca_file, content_type=content_type)
    return status, content.decode(errors="replace")


def fetch(
    method: str,
    url: str,
    body: object = None,
    patience: float = PATIENCE,
    *,
    token: str | None = None,
    ca_file: str | None = None,
    content_type: str = JSON,
) -> tuple[int, bytes]:
    """One request to a running emulator: status and content, status 0 when nobody answers in `patience` seconds.

    A body of bytes is sent as it is, any other as JSON. `token` is the admin token, `ca_file` a PEM file whose
    certificates https may rest on; where they are None, the environment says. Status 0 comes with the reason as text.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPSHandler, ProxyHandler, build_opener

    try:
        request = _request(method, url, body, token, content_type)
        # Never through a proxy: it would not find what listens on this machine's loopback.
        handlers = [ProxyHandler({}), *([HTTPSHandler(context=_trust(ca_file))] if request.type == "https" else [])]
        with build_opener(*handlers).open(request, timeout=patience) as answer:
            return int(answer.status), answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (HTTPException, OSError, ValueError) as error:
        return 0, (str(getattr(error, "reason", error)) or type(error).__name__).encode(errors="replace")


def _request(method: str, url: str, body: object, token: str | None, content_type: str) -> Any:
    from urllib.request import Request

    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    scheme, separator, rest = url.partition("://")
    request = Request(scheme + separator + rest.replace("//", "/"), data, {"Content-Type": content_type}, method=method)
    if secret := _secret(token):
        # Whoever a redirect leads to is not told.
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
    return request


def _secret(token: str | None) -> str:
    """The admin token to send, empty for none. Raises ValueError."""
    secret = (os.environ.get(TOKEN, "") if token is None else token).strip()
    if not (secret.isascii() and secret.isprintable()):
        # Checked here, since what refuses it further down repeats it.
        raise ValueError("the admin token must be printable ASCII")
    return secret


def _trust(ca_file: str | None) -> SSLContext:
    """What https trusts for a caller who may name a file, or leave it to the environment. Raises ValueError."""
    # A server with this environment's settings may have written its certificate to a file that is known here.
    return trusting((os.environ.get(CA_FILE) or _setting("tls_ca_file")) if ca_file is None else ca_file)


def trusting(ca_file: str) -> SSLContext:
    """What https may rest on: what the machine trusts, and a PEM file on top if one is named. Raises ValueError."""
    from ssl import create_default_context

    context = create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise ValueError(f"no certificate can be read from {ca_file}: {error.strerror or error}") from None
    return context


def _local() -> str:
    """Where a server with this environment's settings listens on this machine."""
    return f"http{'s' if _setting('tls') == 'yes' else ''}://127.0.0.1:{_setting('port')}"


def _setting(name: str) -> str:
    """What this environment sets for a server."""
    (option,) = (option for option in options() if option.name == name)
    return os.environ.get(option.variable, str(option.default))
