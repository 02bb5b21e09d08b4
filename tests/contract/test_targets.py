"""Options become a target: from flags and variables, with a key, a token or azure-identity."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from outlook_contract.options import ENVIRONMENT_PREFIX, TargetOptions
from outlook_contract.targets import Target, TargetError, from_environment, opened

URL = "https://example.com/apim/outlook/own"


def target_of(**options: Any) -> Target:
    with opened(TargetOptions(**{"target": "real", "connection": URL, **options})) as target:
        return target


def test_key_comes_before_token() -> None:
    """Each credential has its scheme."""
    both = target_of(key="k", bearer="b")
    token = target_of(bearer="b")

    assert ["Key k", "Bearer b"] == [target.mailbox.access.authorization() for target in (both, token)]


def test_second_mailbox_has_its_own_credential() -> None:
    """The partner is another connection, with another key."""
    target = target_of(key="k", partner=f"{URL}2/", partner_bearer="p", partner_address="two@outlook.com")

    assert target.partner is not None
    assert f"{URL}2" == target.partner.access.url
    assert ("Bearer p", "two@outlook.com") == (target.partner.access.authorization(), target.partner.address)


def test_pace_of_a_connection() -> None:
    """A connection gets at most 90 calls a minute unless the options say otherwise; an emulator has no limit."""
    paces = [target_of(key="k", pace=pace).pace for pace in (-1, 0, 30)]
    with opened(TargetOptions()) as emulator:
        assert [90, 0, 30, 0] == [*paces, emulator.pace]


def test_connection_has_no_clock() -> None:
    """Only an emulator has a sandbox; the same URL is a connection as `real` is."""
    target = target_of(target=URL, connection="", key="k")

    assert (None, False, URL) == (target.sandbox, target.is_emulator, target.mailbox.access.url)


def test_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token comes from azure-identity, for the scope of API connections, anew for each request."""
    scopes: list[str] = []

    class Credential:
        def get_token(self, scope: str) -> SimpleNamespace:
            scopes.append(scope)
            return SimpleNamespace(token=f"token-{len(scopes)}")

    module = ModuleType("azure.identity")
    module.DefaultAzureCredential = Credential  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity", module)
    authorization = target_of(azure_identity=True).mailbox.access.authorization

    assert ["Bearer token-1", "Bearer token-2"] == [authorization(), authorization()]
    assert {"https://apihub.azure.com/.default"} == set(scopes)


def test_azure_identity_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(TargetError, match="pip install azure-identity"):
        target_of(azure_identity=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"connection": ""}, "needs the runtime URL"),
        ({}, "needs a credential"),
        ({"target": "http://127.0.0.1:9", "key": "k"}, "127.0.0.1:9"),
        ({"target": "nonsense"}, "nonsense"),
        ({"key": "k", "ca_file": "/no/such/file"}, "/no/such/file"),
    ],
)
def test_target_that_cannot_be_opened(options: dict[str, str], expected: str) -> None:
    """The error names what is wrong."""
    with pytest.raises(TargetError, match=expected):
        target_of(**options)


def test_variables() -> None:
    """A variable counts where the command line is silent; each type is read."""
    values = {"KEY": "k", "PACE": "30", "READ_ONLY": "yes", "CLIENT": "http", "TARGET": "real", "PATIENCE": "5"}
    environment = {ENVIRONMENT_PREFIX + name: value for name, value in values.items()}
    options = from_environment(TargetOptions(patience=7), environment)

    assert ("k", 30, True, "http", "real", 7) == (
        *(options.key, options.pace, options.read_only),
        *(options.client, options.target, options.patience),
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PACE", "fast", "OUTLOOK_CONTRACT_PACE must be a whole number, not 'fast'"),
        ("PACE", "-2", "--pace must be from -1 to 100000, not -2"),
        ("READ_ONLY", "maybe", "OUTLOOK_CONTRACT_READ_ONLY must be yes or no, not 'maybe'"),
        ("CLIENT", "curl", "--client must be one of microsoft, http, not 'curl'"),
    ],
)
def test_variable_with_another_value(name: str, value: str, expected: str) -> None:
    """The error names the variable or the flag, and what is allowed."""
    with pytest.raises(TargetError, match=expected):
        from_environment(TargetOptions(), {ENVIRONMENT_PREFIX + name: value})


def test_secrets_are_not_shown() -> None:
    """Credentials are left out of the text of the options."""
    options = TargetOptions(key="s3cret", bearer="s3cret", partner_key="s3cret", partner_bearer="s3cret")

    assert "s3cret" not in repr(options)
