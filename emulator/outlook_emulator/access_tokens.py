"""Access tokens that the emulator issues itself: JSON Web Tokens (RFC 7519), signed with HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

LIFETIME = timedelta(days=365)
"""Longer than any test run, since nobody wants a test that fails when its token ends."""
TENANT = str(uuid5(NAMESPACE_URL, "outlook-emulator:tenant"))
CLIENT_ID = str(uuid5(NAMESPACE_URL, "outlook-emulator:client"))
"""The client id of a caller that names none."""


def issue(audience: str, now: datetime, secret: str, client_id: str = CLIENT_ID) -> str:
    """A token for an audience, with the claims that Microsoft Entra ID gives to a managed identity."""
    issued = int(now.timestamp())
    object_id = str(uuid5(NAMESPACE_URL, f"outlook-emulator:{client_id}"))
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
        "appid": client_id,
        "appidacr": "2",
        "idp": f"https://sts.windows.net/{TENANT}/",
        "idtyp": "app",
        "oid": object_id,
        "sub": object_id,
        "tid": TENANT,
        "ver": "1.0",
    }
    content = f"{_encoded({'typ': 'JWT', 'alg': 'HS256'})}.{_encoded(claims)}"
    return f"{content}.{_signature(content, secret)}"


def audience_of(token: str, secret: str) -> str | None:
    """The audience of a token that `issue` made with this secret, None for any other text."""
    content, _, signature = token.rpartition(".")
    if not content or not hmac.compare_digest(signature.encode(), _signature(content, secret).encode()):
        return None
    # Only after the check of the signature, since it relies on the form that `issue` writes.
    claims = content.partition(".")[2]
    audience: str = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["aud"]
    return audience


def _encoded(part: dict[str, object]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _signature(content: str, secret: str) -> str:
    # Derived from the secret alone, so that a token outlives a restart of the server.
    key = hashlib.sha256(f"outlook-emulator:{secret}".encode()).digest()
    return _base64url(hmac.digest(key, content.encode(), "sha256"))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
