"""Parsing and writing of mail addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
    """Semicolons separate addresses, empty parts are ignored, and duplicates keep the first spelling."""
    parsed = addresses.parse(text)

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
    """One invalid address rejects the whole list, with an error that names the part."""
    with pytest.raises(InvalidRecipients) as error:
        addresses.parse(f"good@example.org; {part}")

    assert error.value.message == "One or more recipients are invalid."
    assert f"Recipient '{part[:320]}' is not resolved." in error.value.original


def test_parse_takes_the_longest_address_there_is() -> None:
    """An address of 320 characters, the maximum of RFC 5321, is accepted."""
    longest = "a" * (320 - len("@example.org")) + "@example.org"

    assert (Address(longest),) == addresses.parse(longest)


def test_join_and_split() -> None:
    """Addresses are joined by semicolons without blanks; an empty list is null, not an empty text."""
    people = (Address("ann@example.org", "Ann"), Address("bob@example.org"))

    assert addresses.join(people) == "ann@example.org;bob@example.org"
    assert addresses.split("ann@example.org;bob@example.org") == ["ann@example.org", "bob@example.org"]
    assert addresses.join(()) == ""
    assert addresses.split(None) == []


TEXTS = st.text("ab@;<> .,\u200b", max_size=30) | st.lists(
    st.sampled_from(["a@b.c", "Ann <a@b.c>", "x", "", " a@b", "<a@b>"])
).map(";".join)


@settings(max_examples=300, derandomize=True, database=None)
@given(TEXTS)
@example("a" * 317 + "@bc")
@example("a" * 318 + "@bc")
def test_patterns_match_what_is_read(text: str) -> None:
    """The patterns in the definition match exactly the lists that are read, empty or not."""
    try:
        count = len(addresses.parse(text))
    except InvalidRecipients:
        count = -1

    assert (count >= 0) == bool(re.search(addresses.LIST_PATTERN, text))
    assert (count > 0) == bool(re.search(addresses.FILLED_PATTERN, text))


def test_an_address_filter_must_hold_addresses(alice: Connection) -> None:
    """A filter takes a list, with names and empty parts; a text that is no address is refused by its parameter."""
    alice.deliver(subject="Found", sender="ann@example.org", text="x")

    for name in ("from", "to", "cc", "toOrCc"):
        answer = alice.http.get("/v2/Mail", params={name: "contoso"})
        assert 400 == answer.status_code
        assert f"'{name}'" in answer.json()["message"]
    answer = alice.http.get("/v2/Mail", params={"from": "Ann <ANN@example.org>;; b@example.org"})
    assert ["Found"] == [mail["Subject"] for mail in answer.json()["value"]]


def test_wanted() -> None:
    """The addresses of a filter are lower case; an empty filter has none."""
    assert addresses.lowered(" Ann@Example.org ;; bob@example.org") == {"ann@example.org", "bob@example.org"}
    assert addresses.lowered(None) == addresses.lowered(" ; ") == frozenset()


def test_every_line_of_a_mail_takes_lists_with_blanks_names_and_empty_parts(alice: Connection, bob: Connection) -> None:
    """Lists with blanks, names and empty parts arrive as bare addresses in the caller's order and spelling."""
    alice.send(
        " Bob <BOB@example.com> ; x@example.org;", Cc="; y@example.org", ReplyTo="Alice <a@example.org>; b@example.org"
    )

    mail = bob.mail()
    assert mail["To"] == "BOB@example.com;x@example.org"
    assert mail["Cc"] == "y@example.org"
    assert mail["ReplyTo"] == "a@example.org;b@example.org"


@pytest.mark.parametrize("member", ["To", "Cc", "Bcc", "ReplyTo", "From"])
def test_every_line_of_a_mail_is_checked(alice: Connection, bob: Connection, member: str) -> None:
    """An invalid address in any recipient field rejects the request."""
    answer = alice.http.post(
        "/v2/Mail", json={"To": bob.address, "Subject": "Hello", "Body": "Hello", member: "nobody"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ErrorInvalidRecipients"
    assert answer.json()["error"]["message"] == "One or more recipients are invalid."
    assert "Recipient 'nobody' is not resolved." in answer.json()["error"]["originalMessage"]
    assert bob.mails() == []


@pytest.mark.parametrize("sender", ["a@example.com;b@example.com", "alice@example.com; x@example.org"])
def test_from_is_one_address(alice: Connection, bob: Connection, sender: str) -> None:
    """A mail has one sender, so a list in `From` is rejected."""
    answer = alice.http.post("/v2/Mail", json={"To": bob.address, "Subject": "Hello", "Body": "Hello", "From": sender})

    assert answer.status_code == 400
    assert "'From' must be one mail address" in answer.json()["message"]
    assert bob.mails() == []


@pytest.mark.parametrize(
    "text", ["a\x00b@example.com", "a\u200b@example.com", ".a@example.com", "a..b@example.com", "a@example.com."]
)
def test_what_cannot_be_an_address(text: str) -> None:
    """Invisible characters and misplaced dots make an address invalid."""
    with pytest.raises(InvalidRecipients):
        addresses.parse(text)


@pytest.mark.parametrize("text", ["a" + " " * 50_000 + "b", "<" * 50_000, '"' * 50_000, "a@" + "b." * 50_000])
def test_hostile_text_is_refused_at_once(text: str) -> None:
    """Long text that is not an address is rejected in linear time."""
    with pytest.raises(InvalidRecipients):
        addresses.parse(text)
