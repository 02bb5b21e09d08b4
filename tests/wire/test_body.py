"""Reading JSON bodies against a shape, as clients write them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Required

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.wire.base import Schema
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.mail import ClientSendHtmlMessage, ClientSendMessage, ReplyHtmlMessage


class File(TypedDict, total=False):
    Name: Required[str]
    ContentBytes: Required[Annotated[str, Schema(format="byte")]]


class Draft(TypedDict, total=False):
    To: Required[str]
    Body: Required[Annotated[str, Schema(lenient=True)]]
    ReplyAll: bool
    Count: int
    Importance: Annotated[str, Schema(names=Importance, default="Normal")]
    Attachments: list[File]
    Cover: File
    Tags: list[str]


BARE = {"To": "a", "Body": "", "Importance": "Normal"}
FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=200)
_KEYS = st.sampled_from(
    ["To", "body", "reply_all", "Importance", "Attachments", "Cover", "name", "ContentBytes", "Tags"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def read(body: Any, shape: Any = Draft) -> Any:
    """A body, as JSON text or as a value."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return reader_of(shape).read(data)


@pytest.mark.parametrize("key", ["ReplyAll", "replyAll", "replyall", "reply_all", "REPLY_ALL", "_Reply__All_"])
def test_names_without_case_and_underscores(key: str) -> None:
    """A member is found in every spelling that published clients use."""
    assert read({"To": "a", key: True}) == {**BARE, "ReplyAll": True}


def test_names_of_the_python_client() -> None:
    """Member names from Microsoft's Python client are found, including names of inner members."""
    body = {"to": "a", "subject": "s", "from_": "f@x.y", "attachments": [{"name": "n", "content_bytes": "YQ=="}]}

    assert read(body, ClientSendHtmlMessage) == {
        "To": "a",
        "Subject": "s",
        "Body": "",
        "From": "f@x.y",
        "Importance": "Normal",
        "Attachments": [{"Name": "n", "ContentBytes": "YQ=="}],
    }


def test_null_takes_the_default() -> None:
    """A null counts as a missing member, so the default applies."""
    body = {"To": "a", "Body": None, "ReplyAll": None, "Importance": None, "Attachments": None, "Cover": None}

    assert read(body) == BARE


def test_null_required_member() -> None:
    """A null for a required member is an error."""
    with pytest.raises(InvalidRequest, match="The property 'To' is required"):
        read({"To": None})


def test_unknown_members() -> None:
    """Unknown members are ignored, whatever their value."""
    assert read({"To": "a", "IsDraft": {"x": [1, None]}, "": 1, "_": 2}) == BARE


def test_empty_texts_take_the_default() -> None:
    """An empty text counts as null, unless the member is a text or required."""
    body = {"To": "", "Body": "", "ReplyAll": "", "Count": "", "Importance": "", "Attachments": "", "Cover": ""}

    assert read(body) == {**BARE, "To": ""}
    assert reader_of(Draft, strict=True).read(b'{"To": "a", "Body": ""}') == BARE
    with pytest.raises(InvalidRequest, match="'ReplyAll'"):
        reader_of(Draft, strict=True).read(b'{"To": "a", "ReplyAll": ""}')


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE", 1])
def test_booleans_as_text(value: object) -> None:
    """Booleans may be text, as in public workflows."""
    assert read({"To": "a", "ReplyAll": value})["ReplyAll"] is True


@pytest.mark.parametrize("value", [False, "false", "False", 0])
def test_false_as_text(value: object) -> None:
    """The text `false` is read as false, not as a non-empty text."""
    assert read({"To": "a", "ReplyAll": value})["ReplyAll"] is False


@pytest.mark.parametrize(("value", "expected"), [("high", "High"), (" LOW ", "Low"), (2, "High"), ("0", "Low")])
def test_enumeration(value: object, expected: str) -> None:
    """Enumerated values are read in any case or as integers, and converted to the wire spelling."""
    assert read({"To": "a", "Importance": value})["Importance"] == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("YQ==", "YQ=="),
        ("data:text/plain;base64,YQ==", "data:text/plain;base64,YQ=="),
        ({"$content-type": "text/plain", "$content": "YQ=="}, "data:text/plain;base64,YQ=="),
        ({"$content": "YQ=="}, "data:;base64,YQ=="),
        ({"$content": "YQ==", "$content-type": None}, "data:;base64,YQ=="),
        ({"$content": "YQ==", "$content-type": [[{}]]}, "data:;base64,YQ=="),
    ],
)
def test_bytes_of_logic_apps(content: object, expected: str) -> None:
    """Bytes are read from base64, from a data URI, or from the content object of Logic Apps."""
    body = {"To": "a", "Cover": {"Name": "n", "ContentBytes": content}}

    assert read(body)["Cover"]["ContentBytes"] == expected


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "To"),
        ({"Body": "b"}, "To"),
        ({"To": "a", "Cover": {}}, "Cover.Name"),
        ({"To": "a", "Cover": {"name": "n"}}, "Cover.ContentBytes"),
        ({"To": "a", "Attachments": [{"Name": "n", "ContentBytes": ""}, {"Name": "n"}]}, "Attachments[1].ContentBytes"),
        ({"To": "a", "attachments": [{"ContentBytes": "YQ==", "Name": None}]}, "Attachments[0].Name"),
    ],
)
def test_missing_required(body: object, name: str) -> None:
    """A missing required member is an error with its path."""
    with pytest.raises(InvalidRequest) as error:
        read(body)

    assert f"The property '{name}' is required." == error.value.message


def test_missing_but_lenient() -> None:
    """A message without a body is accepted, because public workflows send such messages."""
    assert read({"To": "a", "Subject": "s"}, ClientSendMessage)["Body"] == ""


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"To": 1}, "To"),
        ({"To": True}, "To"),
        ({"To": ["a"]}, "To"),
        ({"To": {"a": "b"}}, "To"),
        ({"to": 1.5}, "To"),
        ({"To": "a", "ReplyAll": "maybe"}, "ReplyAll"),
        ({"To": "a", "ReplyAll": []}, "ReplyAll"),
        ({"To": "a", "ReplyAll": 2}, "ReplyAll"),
        ({"To": "a", "Count": "ten"}, "Count"),
        ({"To": "a", "Count": 1.5}, "Count"),
        ({"To": "a", "Importance": "Urgent"}, "Importance"),
        ({"To": "a", "Importance": 3}, "Importance"),
        ({"To": "a", "Importance": True}, "Importance"),
        ({"To": "a", "Importance": 1.0}, "Importance"),
        ({"To": "a", "Importance": ["High"]}, "Importance"),
        ({"To": "a", "Attachments": {}}, "Attachments"),
        ({"To": "a", "Attachments": "x"}, "Attachments"),
        ({"To": "a", "Attachments": ["x"]}, "Attachments[0]"),
        ({"To": "a", "Attachments": [None]}, "Attachments[0]"),
        ({"To": "a", "Attachments": [[]]}, "Attachments[0]"),
        ({"To": "a", "attachments": [{"name": 1, "contentBytes": "YQ=="}]}, "Attachments[0].Name"),
        ({"To": "a", "Attachments": [{"Name": "n", "ContentBytes": {}}]}, "Attachments[0].ContentBytes"),
        ({"To": "a", "Attachments": [{"Name": "n", "ContentBytes": {"$content": 1}}]}, "Attachments[0].ContentBytes"),
        ({"To": "a", "Cover": []}, "Cover"),
        ({"To": "a", "Cover": {"Name": [], "ContentBytes": "YQ=="}}, "Cover.Name"),
        ({"To": "a", "Tags": "x"}, "Tags"),
        ({"To": "a", "Tags": ["x", 1]}, "Tags[1]"),
    ],
)
def test_wrong_types(body: object, name: str) -> None:
    """A value of the wrong type is an error with its path, and the error does not quote the value."""
    with pytest.raises(InvalidRequest) as error:
        read(body)

    assert f"property '{name}' " in error.value.message
    assert len(error.value.message) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"To"',
        b'{"To":"a"',
        b'{"To":"a",}',
        b'{"To":"a"} x',
        b"{'To':'a'}",
        b'{To:"a"}',
        b'{"To":"a\n"}',
        b'{"To":"\xff"}',
        b'{"To":"\xc3"}',
        b'{"To":"\\ud800"}',
        b'{"To":"\\udc00\\ud800"}',
        b'{"\\ud800":1,"To":"a"}',
        b'{"To":"\xed\xa0\x80"}',
        b'{"To":"a","Count":NaN}',
        b'{"To":"a","Count":Infinity}',
        b'{"To":"a","Count":01}',
        b'\xff\xfe{\x00"\x00T\x00',
        b"To=a&Body=b",
        b"<To>a</To>",
        b'{"To":' + b"[" * 100_000,
        b'{"To":' * 100_000,
        b"\0",
        b"\xef\xbb\xbf",
        b"",
    ],
)
def test_broken_json(data: bytes) -> None:
    """Invalid JSON is an error with the reason and the position, and the error does not quote the body."""
    with pytest.raises(InvalidRequest, match="The request body is not valid JSON: ") as error:
        read(data)

    assert len(error.value.message) < 200


@pytest.mark.parametrize("data", [b"null", b"[]", b'"text"', b"1", b"true", b'[{"To":"a"}]'])
def test_body_must_be_an_object(data: bytes) -> None:
    """A body must be an object, even if it is valid JSON."""
    with pytest.raises(InvalidRequest, match="The request body must be a JSON object"):
        read(data)


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"To":"a"}', b' \r\n\t{"To" : "a"}\r\n', b'{"\\u0054o":"\\u0061"}'])
def test_tolerated_json(data: bytes) -> None:
    """A byte order mark, surrounding blanks and escapes in names are accepted."""
    assert read(data) == BARE


@pytest.mark.parametrize(
    "data", [b'{"To":"x","To":"a"}', b'{"To":"x","to":"a"}', b'{"To":"a","to":null}', b'{"t_o":1,"To":"a"}']
)
def test_repeated_members(data: bytes) -> None:
    """The last value of a repeated member that is not null counts, in any spelling."""
    assert read(data) == BARE


@pytest.mark.parametrize("member", ["To", "ReplyAll", "Count", "Importance", "Attachments", "Cover", "Tags", "Extra"])
@pytest.mark.parametrize("bracket", ["[]", '{"a":}'])
def test_deep_nesting(member: str, bracket: str) -> None:
    """A deeply nested value is an error that names its member; in an unknown member it is ignored."""
    opening, closing = bracket[:-1], bracket[-1]
    value = opening * 900 + "1" + closing * 900
    body = f'{{"To":"a","{member}":{value}}}'.encode()

    if member == "Extra":
        assert read(body) == BARE
    else:
        with pytest.raises(InvalidRequest, match=f"property '{member}"):
            read(body)


def test_deep_content_type() -> None:
    """A nested value as the type of base64 content is ignored, at any depth."""
    nested = "[" * 900 + "]" * 900
    body = f'{{"To":"a","Cover":{{"Name":"n","ContentBytes":{{"$content":"YQ==","$content-type":{nested}}}}}}}'

    assert read(body.encode())["Cover"]["ContentBytes"] == "data:;base64,YQ=="


@pytest.mark.parametrize("text", ["a\0b", "\0", "\u2028", "\U0001f4e7", "\ufeff", "a" * 1_000_000])
def test_strange_text(text: str) -> None:
    """Text is kept unchanged, including control characters."""
    assert read({"To": text})["To"] == text


@pytest.mark.parametrize("number", ["1" * 400, "-" + "9" * 30, "1e400", "-1e400", "9223372036854775808"])
def test_huge_numbers(number: str) -> None:
    """A huge number in a text or Boolean member is a client error."""
    with pytest.raises(InvalidRequest):
        read(f'{{"To":{number}}}'.encode())
    with pytest.raises(InvalidRequest):
        read(f'{{"To":"a","ReplyAll":{number}}}'.encode())


def test_reply_has_no_missing_members() -> None:
    """A member missing from a reply stays missing, so that its own default can apply."""
    assert read({"Body": "Hello"}, ReplyHtmlMessage) == {"Body": "Hello"}


def test_readers_are_cached() -> None:
    """The reader of a shape is created once."""
    assert reader_of(Draft) is reader_of(Draft)


@pytest.mark.slow
@FIXED
@given(st.dictionaries(_KEYS, _JSON, max_size=8).map(lambda body: {"To": "a", **body}))
def test_any_object(body: object) -> None:
    """Any object is either read with the declared types or rejected."""
    try:
        parsed = read(body)
    except InvalidRequest:
        return

    assert isinstance(parsed["To"], str)
    assert isinstance(parsed["Body"], str)
    assert parsed["Importance"] in Importance.__members__
    assert all(isinstance(value, str) for file in parsed.get("Attachments", ()) for value in file.values())


@pytest.mark.slow
@FIXED
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: json.dumps({"To": text})[:50].encode()))
def test_any_bytes(data: bytes) -> None:
    """Bytes that are not a JSON object are a client error."""
    try:
        parsed = read(data)
    except InvalidRequest:
        return

    assert json.loads(data)["To"] == parsed["To"]
