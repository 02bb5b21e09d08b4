"""What is replaced in answers, and what stays."""

from __future__ import annotations

import pytest

from outlook_contract.probes.normal import Normalizer, Owner

OWNERS = (Owner("jane.doe@outlook.com", "Jane Doe"), Owner("rob@hotmail.com", "Rob Roy"))
MAIL_ID = "AQMkADAwATM0MDAAMS1kMjkzLTQ2NGYtMDACLTAwCgBGAAAD5phti2JjKAdR51U4YSEkPAcArETbk60QlkzF="


@pytest.fixture
def normalizer() -> Normalizer:
    return Normalizer("contract-1a2b3c4d", OWNERS, ["0123456789abcdef"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Subject contract-1a2b3c4d", "Subject"),
        ("contract-1a2b3c4d", "<marker>"),
        ("To Jane.Doe@Outlook.com;rob@hotmail.com", "To mailbox1@example.com;mailbox2@example.com"),
        ("From: Jane Doe and Janet Doerr", "From: Owner 1 and Janet Doerr"),
        ("mailto:somebody@work.example.org", "mailto:person1@example.net"),
        ("Ann.Bee@Example.com;carl@example.com", "Ann.Bee@Example.com;carl@example.com"),
        (MAIL_ID, "<id>"),
        ("at 2026-03-05T09:00:00.1234567+00:00", "at <time>+00:00"),
        ("on Thursday, March 5, 2026 9:00 AM", "on <time>"),
        ("http://host:1/apim/outlook/0123456789abcdef/x", "https://<host>/apim/outlook/<id>/x"),
        ("?state=anything&sig=else&showConfirm=true", "?state=<id>&sig=<id>&showConfirm=true"),
        ("x" * 300, "<base64 of 300 characters>"),
        ("The mailbox is full", "The mailbox is full"),
    ],
)
def test_texts(normalizer: Normalizer, text: str, expected: str) -> None:
    """Ids, times, hosts, addresses and names go; addresses at example.com, which nobody has, stay."""
    assert expected == normalizer.text(text)


def test_values(normalizer: Normalizer) -> None:
    """Texts are replaced at every depth, and other values stay."""
    value = {"a": [MAIL_ID, 5, None, True], "b": {"c": "rob@hotmail.com"}}

    assert {"a": ["<id>", 5, None, True], "b": {"c": "mailbox2@example.com"}} == normalizer.value(value)


def test_name_that_is_part_of_the_address() -> None:
    """A name is replaced where it stands alone, and the address as a whole."""
    normalizer = Normalizer("contract-1", [Owner("jane@outlook.com", "jane")])

    assert "Owner 1 <<id>>, mailbox1@example.com" == normalizer.text("jane <jane@outlook.com>, jane@outlook.com")


def test_name_that_is_the_address() -> None:
    """A mailbox whose owner has no other name than its address has only the address replaced."""
    normalizer = Normalizer("contract-1", [Owner("me@outlook.com", "me@outlook.com")])

    assert "mailbox1@example.com" == normalizer.text("me@outlook.com")
