"""Mail addresses as callers write them, and what becomes of them on the wire."""

from __future__ import annotations

import pytest

from outlook_emulator.errors import InvalidRecipients
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.message import Address
from tests.conftest import Connection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@example.org", [("ann@example.org", "")]),
        ("  ann@example.org  ", [("ann@example.org", "")]),
        ("ann@localhost", [("ann@localhost", "")]),
        ("o'neil+news_1%x@mail.example.org", [("o'neil+news_1%x@mail.example.org", "")]),
        ("jürgen@müller.example", [("jürgen@müller.example", "")]),
        ("<ann@example.org>", [("ann@example.org", "")]),
        ("Ann <ann@example.org>", [("ann@example.org", "Ann")]),
        ('"Lee, Ann" <ann@example.org>', [("ann@example.org", "Lee, Ann")]),
        ("a@example.org;b@example.org", [("a@example.org", ""), ("b@example.org", "")]),
        ("a@example.org; b@example.org;", [("a@example.org", ""), ("b@example.org", "")]),
        (";; a@example.org ; ;b@example.org", [("a@example.org", ""), ("b@example.org", "")]),
        ("b@example.org;a@example.org", [("b@example.org", ""), ("a@example.org", "")]),
        ("Ann@Example.org;ann@example.ORG;ANN <ann@example.org>", [("Ann@Example.org", "")]),
        ("", []),
        (" ; ;", []),
    ],
)
def test_parse(text: str, expected: list[tuple[str, str]]) -> None:
    """Semicolons split addresses, empty parts do not count, and each address comes once, as first written."""
    parsed = addresses.parse("To", text)

    assert expected == [tuple(address) for address in parsed]


@pytest.mark.parametrize(
    "part",
    [
        "ann",
        "@example.org",
        "ann@",
        "ann@@example.org",
        "ann@example.org.",
        "ann@.example.org",
        "ann@exa mple.org",
        "a@example.org, b@example.org",
        "Ann ann@example.org",
        "Ann <ann>",
        "Ann <ann@example.org> x",
        "<>",
        "ann@example.org\r\nBcc: x@example.org",
        "a" * 310 + "@example.org",
    ],
)
def test_parse_refuses_what_is_no_address(part: str) -> None:
    """One part that is no address refuses the whole list, naming the member and the part."""
    with pytest.raises(InvalidRecipients) as error:
        addresses.parse("Cc", f"good@example.org; {part}")

    assert "(Cc)" in error.value.message
    assert f"Recipient '{part[:320]}' is not resolved." in error.value.original


def test_parse_takes_the_longest_address_there_is() -> None:
    """An address of 320 characters, the most RFC 5321 allows, is still one."""
    longest = "a" * (320 - len("@example.org")) + "@example.org"

    assert (Address(longest),) == addresses.parse("To", longest)


def test_join_and_split() -> None:
    """Addresses travel bare, split by semicolons without blanks, and none is null rather than an empty text."""
    people = (Address("ann@example.org", "Ann"), Address("bob@example.org"))

    assert addresses.join(people) == "ann@example.org;bob@example.org"
    assert addresses.split("ann@example.org;bob@example.org") == ["ann@example.org", "bob@example.org"]
    assert addresses.join(()) is None
    assert addresses.split(None) == []


def test_wanted() -> None:
    """A filter's addresses are compared without case, and a filter of nothing asks for nobody."""
    assert addresses.lowered(" Ann@Example.org ;; bob@example.org") == {"ann@example.org", "bob@example.org"}
    assert addresses.lowered(None) == addresses.lowered(" ; ") == frozenset()


def test_every_line_of_a_mail_takes_lists_with_blanks_names_and_empty_parts(alice: Connection, bob: Connection) -> None:
    """What a caller writes sloppily arrives as bare addresses, in the caller's order and spelling."""
    alice.send(
        " Bob <BOB@example.com> ; x@example.org;", Cc="; y@example.org", ReplyTo="Alice <a@example.org>; b@example.org"
    )

    mail = bob.mail()
    assert mail["To"] == "BOB@example.com;x@example.org"
    assert mail["Cc"] == "y@example.org"
    assert mail["ReplyTo"] == "a@example.org;b@example.org"


@pytest.mark.parametrize("member", ["To", "Cc", "Bcc", "ReplyTo", "From"])
def test_every_line_of_a_mail_is_checked(alice: Connection, bob: Connection, member: str) -> None:
    """An address that is none refuses the send, whichever line it stands in."""
    answer = alice.http.post(
        "/v2/Mail", json={"To": bob.address, "Subject": "Hello", "Body": "Hello", member: "nobody"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ErrorInvalidRecipients"
    assert f"({member})" in answer.json()["message"]
    assert "Recipient 'nobody' is not resolved." in answer.json()["error"]["originalMessage"]
    assert bob.mails() == []


@pytest.mark.parametrize("sender", ["a@example.com;b@example.com", "alice@example.com; x@example.org"])
def test_from_is_one_address(alice: Connection, bob: Connection, sender: str) -> None:
    """A mail has one sender: a list in `From` is refused."""
    answer = alice.http.post("/v2/Mail", json={"To": bob.address, "Subject": "Hello", "Body": "Hello", "From": sender})

    assert answer.status_code == 400
    assert "'From' must be one mail address" in answer.json()["message"]
    assert bob.mails() == []


@pytest.mark.parametrize(
    "text", ["a\x00b@example.com", "a\u200b@example.com", ".a@example.com", "a..b@example.com", "a@example.com."]
)
def test_what_cannot_be_an_address(text: str) -> None:
    """Letters nobody sees and dots without a letter on each side make no address."""
    with pytest.raises(InvalidRecipients):
        addresses.parse("To", text)


@pytest.mark.parametrize("text", ["a" + " " * 50_000 + "b", "<" * 50_000, '"' * 50_000, "a@" + "b." * 50_000])
def test_hostile_text_is_refused_at_once(text: str) -> None:
    """Long text that is no address is refused without looking at each letter again and again."""
    with pytest.raises(InvalidRecipients):
        addresses.parse("To", text)
