"""Access tokens: what a token says, and whose tokens are accepted."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

import pytest

from outlook_emulator import access_tokens

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HUB = "https://apihub.azure.com"


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token."""
    part = token.split(".")[1]
    content: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return content


def test_claims() -> None:
    """A token names its audience and its identity, and is valid for a year."""
    content = claims(access_tokens.issue(HUB, NOW, "secret", "my-client"))

    assert (HUB, "my-client", "app") == (content["aud"], content["appid"], content["idtyp"])
    assert content["nbf"] == content["iat"] == NOW.timestamp()
    assert content["exp"] == NOW.timestamp() + 365 * 24 * 60 * 60


def test_identities_differ() -> None:
    """Each client id is an identity of its own, the same in every token."""
    subjects = [claims(access_tokens.issue(HUB, NOW, "s", client))["sub"] for client in ("a", "b", "a")]

    assert (subjects[0], 2) == (subjects[2], len(set(subjects)))


@pytest.mark.parametrize("audience", [HUB, "", "ä/€", "x" * 1000])
def test_audience(audience: str) -> None:
    """A token is recognized by who has the secret, and by nobody else."""
    token = access_tokens.issue(audience, NOW, "secret")

    assert (audience, None) == (access_tokens.audience_of(token, "secret"), access_tokens.audience_of(token, "other"))


@pytest.mark.parametrize("text", ["", "key", ".", "..", "a.b.c", "ä.ö.ü", "\0.\0", "e30.e30."])
def test_other_texts(text: str) -> None:
    """Any other text is no token."""
    assert access_tokens.audience_of(text, "secret") is None


def test_changed_token() -> None:
    """A token whose claims or signature were changed is no token."""
    head, content, signature = access_tokens.issue(HUB, NOW, "secret").split(".")
    other = access_tokens.issue("https://other", NOW, "secret").split(".")[1]

    assert access_tokens.audience_of(f"{head}.{other}.{signature}", "secret") is None
    assert access_tokens.audience_of(f"{head}.{content}.{signature[:-1]}", "secret") is None
    assert access_tokens.audience_of(f"{head}.{content}.", "secret") is None
