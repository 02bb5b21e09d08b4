"""Reading query strings, as clients write them, by the parameters that a row declares."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from outlook_emulator.enums import ImportanceFilter
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.operations import OPERATIONS, Operation
from outlook_emulator.server.connector.query import QueryReader, pairs, split_off
from outlook_emulator.wire.base import Int32, Schema


class Query:
    folder_path: str = "Inbox"
    fetch_only_unread: bool = True
    top: Int32 = 10
    importance: Annotated[str, Schema(names=ImportanceFilter)] = "Any"
    from_: str | None = None
    filter: Annotated[str | None, Schema(key="$filter")] = None
    context: Annotated[str | None, Schema(key="x-ms-operation-context", location="header")] = None


class RequiredQuery:
    comment: str
    reply_all: bool = False


DEFAULTS = {
    "folder_path": "Inbox",
    "fetch_only_unread": True,
    "top": 10,
    "importance": "Any",
    "from_": None,
    "filter": None,
    "context": None,
}
ROWS = {row.id: row for row in OPERATIONS}


def reader(query: type) -> QueryReader:
    return QueryReader(
        Operation(id="Any", method="GET", path="/Any", summary="Any", family="Any", run=print, query=query).parameters
    )


def read(text: str | bytes, **headers: str) -> dict[str, Any]:
    """The values of a query string that differ from the defaults."""
    raw = text.encode("latin-1") if isinstance(text, str) else text
    values = reader(Query).read(raw, lambda name: headers.get(name.replace("-", "_")))
    assert set(values) == set(DEFAULTS)
    return {name: value for name, value in values.items() if value != DEFAULTS[name]}


@pytest.mark.parametrize("text", ["", "&", "&&=&=x&", "unknown=1", "%24unknown=%ZZ", "folderPath", "folder_path=A"])
def test_defaults(text: str) -> None:
    """Parameters that the query string does not name have their defaults; undeclared names are ignored."""
    assert read(text) == {}


@pytest.mark.parametrize("text", ["folderPath=", "top=", "fetchOnlyUnread=", "importance=", "from=&%24filter="])
def test_empty_values(text: str) -> None:
    """A parameter with an empty value has its default."""
    assert read(text) == {}


@pytest.mark.parametrize("name", ["folderPath", "folderpath", "FOLDERPATH", "FolderPath", "folder%50ath"])
def test_names_in_any_case(name: str) -> None:
    """Parameter names match in any case, raw or percent-encoded."""
    assert read(f"{name}=Archive") == {"folder_path": "Archive"}


@pytest.mark.parametrize("name", ["$filter", "%24filter", "%24FILTER", "$Filter"])
def test_dollar(name: str) -> None:
    """A dollar sign may be raw or percent-encoded, in a name of any case."""
    assert read(f"{name}=a%20eq%201") == {"filter": "a eq 1"}


@pytest.mark.parametrize("word", ["False", "false", "FALSE", "fAlSe", "0", "%46alse", "+false+"])
def test_flags(word: str) -> None:
    """A boolean may be written in any case, or as 0."""
    assert read(f"fetchOnlyUnread={word}") == {"fetch_only_unread": False}


@pytest.mark.parametrize("word", ["True", "true", "TRUE", "1"])
def test_true(word: str) -> None:
    """True may be written in any case, or as 1."""
    values = reader(RequiredQuery).read(f"comment=x&replyAll={word}".encode(), lambda name: None)

    assert values == {"comment": "x", "reply_all": True}


@pytest.mark.parametrize(("text", "expected"), [("high", "High"), ("HIGH", "High"), ("3", "High"), ("%33", "High")])
def test_names_of_an_enumeration(text: str, expected: str) -> None:
    """A value of an enumeration is read in any case, or as the integer that some clients send."""
    assert read(f"importance={text}") == {"importance": expected}


def test_zero_is_any() -> None:
    """An importance of 0, which older designers send, means any."""
    assert read("importance=0") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("Sent+Items", "Sent Items"),
        ("Sent%20Items", "Sent Items"),
        ("a%2Bb", "a+b"),
        ("a=b", "a=b"),
        ("%25", "%"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("a;b", "a;b"),
        ("%C3%A4", "ä"),
        ("Entw\xc3\xbcrfe+%C3%A4", "Entwürfe ä"),
        ("%F0%9F%93%A7", "📧"),
        (" a ", " a "),
        ("a%00b", "a\0b"),
    ],
)
def test_text(text: str, expected: str) -> None:
    """A value is percent-decoded once, `+` means a space, and unescaped bytes are read as UTF-8."""
    assert read(f"folderPath={text}") == {"folder_path": expected}


def test_first_of_repeated() -> None:
    """If a parameter is repeated, in any case, the first value is used and the others are ignored."""
    assert read("top=5&Top=7&TOP=x") == {"top": 5}


@pytest.mark.parametrize(
    "text", ["top=%FF", "%FF=1", "x=%ED%A0%80", "top=1&x=%C3", "folderPath=\xff", "\xff", "folderPath=\xc3+%20"]
)
def test_no_utf8(text: str) -> None:
    """Bytes that are not UTF-8 are an error anywhere in the query string."""
    with pytest.raises(InvalidRequest, match="The query string is not UTF-8"):
        read(text)


@pytest.mark.parametrize(
    "number", ["2147483648", "-2147483649", "99999999999999999999", "1e3", "1.0", "0x10", "ten", "%D9%A1", "1" * 9999]
)
def test_integers_out_of_range(number: str) -> None:
    """A value that is not a 32-bit integer gets an error that names the parameter; a long value is cut."""
    with pytest.raises(InvalidRequest, match="The query parameter 'top' must be an integer") as caught:
        read(f"top={number}")

    assert len(caught.value.message) < 250


@pytest.mark.parametrize(("text", "expected"), [("-1", -1), ("%2B7", 7), ("+7", 7), ("2147483647", 2**31 - 1)])
def test_integers(text: str, expected: int) -> None:
    """Any 32-bit integer is read, with or without a sign; the mailbox checks its range."""
    assert read(f"top={text}") == {"top": expected}


@pytest.mark.parametrize(
    ("text", "name"), [("fetchOnlyUnread=yes", "fetchOnlyUnread"), ("importance=urgent", "importance")]
)
def test_unreadable(text: str, name: str) -> None:
    """A value of the wrong type gets an error that names the parameter as the Swagger document does."""
    with pytest.raises(InvalidRequest, match=f"The query parameter '{name}' must be"):
        read(text.lower())


def test_missing_required() -> None:
    """A missing required parameter gets an error that names it."""
    with pytest.raises(InvalidRequest, match="The query parameter 'comment' is required"):
        reader(RequiredQuery).read(b"replyAll=true", lambda name: None)


def test_empty_required() -> None:
    """An empty required parameter gets an error that names it."""
    with pytest.raises(InvalidRequest, match="The query parameter 'comment' must not be empty"):
        reader(RequiredQuery).read(b"comment=", lambda name: None)


def test_header() -> None:
    """A header parameter is read from the headers only."""
    assert read("", x_ms_operation_context="simulate") == {"context": "simulate"}
    assert read("x-ms-operation-context=simulate") == {}


def test_requests_share_no_values() -> None:
    """The values of one request do not become the defaults of the next."""
    shared_reader = reader(Query)
    shared_reader.read(b"top=1&folderPath=Archive", lambda name: None)

    assert shared_reader.read(b"", lambda name: None) == DEFAULTS


def test_hidden_parameters() -> None:
    """Parameters that designers hide are read like any other, since the .NET client sends them."""
    values = QueryReader(ROWS["GetEmailsV2"].parameters).read(
        b"fetchOnlyFlagged=True&mailboxAddress=a%40b.c", lambda name: None
    )

    assert (values["fetch_only_flagged"], values["mailbox_address"]) == (True, "a@b.c")


def test_pairs() -> None:
    """A query string is split into lower-case names and decoded values, in order."""
    assert pairs(b"A=1&a=2&%41=%33&b&=c&d=e=f") == [
        ("a", "1"),
        ("a", "2"),
        ("a", "3"),
        ("b", ""),
        ("", "c"),
        ("d", "e=f"),
    ]


@pytest.mark.parametrize(
    ("raw", "others", "values"),
    [
        (b"", [], []),
        (b"top=1", [b"top=1"], []),
        (b"State=a%3d&top=1&", [b"top=1", b""], ["a%3d"]),
        (b"&State=1", [b""], ["1"]),
        (b"S%74ate=1&top=%31&State=2", [b"top=%31"], ["1", "2"]),
        (b"state=1&State", [b"state=1"], [""]),
        (b"\xff=1&State=\xe9", [b"\xff=1"], ["\xe9"]),
    ],
)
def test_split_off(raw: bytes, others: list[bytes], values: list[str]) -> None:
    """A parameter is taken out by its decoded name, in this case only; all else stays as it was written."""
    assert [(others, values)] * 2 == [split_off(raw, "State"), split_off(raw, "State")]
