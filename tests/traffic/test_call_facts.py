"""How a call is compared with a match: patterns of text, paths, parameters of the query and members of the body."""

from __future__ import annotations

from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outlook_emulator.traffic.call_facts import CallFacts, Match, folded, like, meet, path_below

FIXED = settings(derandomize=True, database=None, deadline=None)
CHARACTERS = "ab"
TEXTS = ["".join(characters) for size in range(7) for characters in product(CHARACTERS, repeat=size)]
PATTERNS = st.text("ab*", max_size=6)


def seen(query: bytes = b"", body: bytes = b"", **more: str) -> CallFacts:
    """A call to send a mail, but for what is given."""
    usual = {
        "connection": "c1",
        "operation": "SendEmailV2",
        "family": "SendEmail",
        "method": "POST",
        "path": "/v2/Mail",
    }
    return CallFacts(**{**usual, **more}, query=query, body=body)


def fits_by_hand(pattern: str, text: str) -> bool:
    """The meaning of a pattern, told by its first character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits_by_hand(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return text[:1] == pattern[0] and fits_by_hand(pattern[1:], text[1:])


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "anything\nat all", True),
        ("Hello", "hELLO", True),
        ("hello", "hello ", False),
        ("*@example.com", "bob@example.com", True),
        ("*@example.com", "bob@example.com.org", False),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("a.c", "abc", False),
        ("[ab]?", "[AB]?", True),
        ("[ab]", "a", False),
        ("ÄRGER*", "ärgerlich", True),
    ],
)
def test_like(pattern: str, value: str, expected: bool) -> None:
    """Texts compare without case from end to end, a star stands for any text, and no other character is special."""
    assert expected is like(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("7", 7),
        ("0.5", 0.5),
        ('["a","b"]', ["a", "b"]),
        ('{"Name":*}', {"Name": "a.txt"}),
    ],
)
def test_like_of_other_values(pattern: str, value: object) -> None:
    """What is no text is compared as JSON writes it."""
    assert like(pattern, value)
    assert not like(f"{pattern}x", value)


@given(PATTERNS, st.text(CHARACTERS, max_size=8))
@FIXED
def test_like_is_what_a_pattern_means(pattern: str, text: str) -> None:
    """A pattern fits exactly the texts that it fits when it is read by hand, one character after the other."""
    assert fits_by_hand(pattern, text) is like(pattern, text)


@given(st.text(max_size=20))
@FIXED
def test_text_is_like_itself(text: str) -> None:
    """Any text fits itself, and what is left of it where a star stands for the rest."""
    middle = len(text) // 2

    assert like(text, text)
    assert like(f"{text[:middle]}*", text)
    assert like(f"*{text[middle:]}", text)


def test_pattern_of_many_stars() -> None:
    """However many stars a pattern has, nobody tries all the ways in which they could share a text among them."""
    assert not like("*a" * 40 + "*b", "a" * 2000)
    assert like("*a" * 40 + "*b", "a" * 2000 + "b")


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("/v2/Mail*", "/v2/Mail/*/move", True),
        ("/v2/Mail", "/V2/MAIL", True),
        ("/v2/Mail", "/v2/Mail/*", False),
        ("*/move", "/v2/Mail/*", True),
        ("a*b", "*c", False),
        ("a*", "*b", True),
        ("", "*", True),
        ("", "a", False),
    ],
)
def test_meet(pattern: str, other: str, expected: bool) -> None:
    """Two patterns meet where some text fits both."""
    assert expected is meet(pattern, other)


@given(PATTERNS, PATTERNS)
@example("*a*", "*b*")
@example("**", "")
@example("a*a", "*aa*")
@FIXED
def test_meet_is_the_same_both_ways(pattern: str, other: str) -> None:
    """It is of no account which of two patterns is named first."""
    assert meet(pattern, other) is meet(other, pattern)


@given(st.text("ab*", max_size=3), st.text("ab*", max_size=3))
@FIXED
def test_meet_where_a_text_is_found(pattern: str, other: str) -> None:
    """Two patterns meet exactly if one of all texts fits both: where there is any, one is as short as their letters."""
    assert any(like(pattern, text) and like(other, text) for text in TEXTS) is meet(pattern, other)


@given(PATTERNS, st.text("ab", max_size=8))
@FIXED
def test_pattern_meets_the_texts_it_fits(pattern: str, text: str) -> None:
    """A pattern without stars is a text, and meets the patterns that it fits."""
    assert like(pattern, text) is meet(pattern, text)


@pytest.mark.parametrize(
    ("raw", "has_connection", "path"),
    [
        (b"/apim/outlook/c1/v2/Mail", True, "/v2/Mail"),
        (b"/apim/outlook/c1//v2//Mail/", True, "/v2/Mail"),
        (b"/apim/outlook/c1", True, "/"),
        (b"/apim/outlook/", True, "/"),
        (b"/apim/outlook/c%2F1/Mail/a%2Fb%3D", True, "/Mail/a/b="),
        (b"/apim/outlook/c1/Mail/a%252Fb", True, "/Mail/a%2Fb"),
        (b"/apim/outlook/c1/Mail/%C3%A4", True, "/Mail/ä"),
        (b"/apim/outlook/c1/Mail/%FF", True, "/Mail/\N{REPLACEMENT CHARACTER}"),
        (b"/apim/outlook/approval/respond", False, "/approval/respond"),
    ],
)
def test_path_below(raw: bytes, has_connection: bool, path: str) -> None:
    """A path begins below the connection if it has one, is decoded once, and has single slashes."""
    assert path == path_below(raw, b"/apim/outlook/", has_connection)


def test_query_as_the_connector_reads_it() -> None:
    """Names are in lower case, the first of a repeated one counts, whatever its case, and blanks are values."""
    call = seen(query=b"folderPath=In%20box&top=&FOLDERPATH=Sent&q=a+b&bad=%FF")

    expected = {"folderpath": "In box", "top": "", "q": "a b", "bad": "\N{REPLACEMENT CHARACTER}"}
    assert expected == dict(call.query)


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"To":', b"\xff", b"[" * 5000])
def test_body_that_is_no_json(body: bytes) -> None:
    """A body that cannot be read is none, and fits no pattern for a member of it."""
    call = seen(body=body)

    assert call.body is None
    assert ["body.To"] == list(Match(body={"To": "*"}).differs(call))


def test_match_of_anything() -> None:
    """A match that says nothing fits every call, also one that no operation answers."""
    assert Match().fits(seen())
    assert Match().fits(seen(operation="", family="", connection=""))


@pytest.mark.parametrize(
    ("match", "differs"),
    [
        ({"connection": "c1"}, []),
        ({"connection": "C1"}, ["connection"]),
        ({"operations": frozenset({"sendemailv2", "getemails"})}, []),
        ({"operations": frozenset({"getemails"})}, ["operation"]),
        ({"family": "sendemail"}, []),
        ({"family": "GetEmails"}, ["family"]),
        ({"method": "post"}, []),
        ({"method": "GET"}, ["method"]),
        ({"path": "/V2/*"}, []),
        ({"path": "/v3/*"}, ["path"]),
        ({"query": {"FolderPath": "in*"}}, []),
        ({"query": {"folderPath": "in*", "top": "*"}}, ["query.top"]),
        ({"query": {"folderPath": "Sent"}}, ["query.folderPath"]),
        ({"body": {"to": "*@example.com"}}, []),
        ({"body": {"To": "alice*", "Importance": "2"}}, ["body.To", "body.Importance"]),
        ({"connection": "c2", "method": "GET", "body": {"To": "x"}}, ["connection", "method", "body.To"]),
    ],
)
def test_differs(match: dict[str, Any], differs: list[str]) -> None:
    """Whatever of a match does not fit is named, in order; a match fits where nothing is."""
    call = seen(query=b"folderpath=Inbox", body=b'{"To":"bob@example.com","Importance":1}')

    assert differs == list(Match(**match).differs(call))
    assert (not differs) is Match(**match).fits(call)


@pytest.mark.parametrize(
    ("member", "pattern", "expected"),
    [
        ("Attachments.Name", "a.txt", True),
        ("attachments.name", "B.TXT", True),
        ("Attachments.Name", "c.txt", False),
        ("Attachments.content_bytes", "QQ==", True),
        ("is_html", "true", True),
        ("ISHTML", "true", True),
        ("Attachments", "*a.txt*", True),
        ("Attachments.Name.Inner", "*", False),
        ("To.Inner", "*", False),
        ("Nothing", "null", True),
        ("Missing", "*", False),
    ],
)
def test_members_of_a_body(member: str, pattern: str, expected: bool) -> None:
    """Members are found without case and underscores, nested ones by dots, and in a list if any entry has them."""
    body = {
        "To": "bob@example.com",
        "IsHtml": True,
        "Attachments": [{"Name": "a.txt", "ContentBytes": "QQ=="}, "no object", {"Name": "b.txt"}],
        "Nothing": None,
    }

    assert expected is Match(body={member: pattern}).fits(seen(body=orjson.dumps(body)))


def test_members_of_a_list() -> None:
    """A body that is a list has what any of its entries has."""
    call = seen(body=b'[{"a":1},{"a":2}]')

    assert Match(body={"a": "2"}).fits(call)
    assert not Match(body={"a": "3"}).fits(call)


def test_body_is_read_only_when_asked_for() -> None:
    """A match that says nothing of query and body never looks at them, nor one whose cheap members tell enough."""
    call = seen(query=b"a=1", body=b"{}")

    Match(connection="c1", path="/v2/*").fits(call)
    Match(connection="c2", query={"a": "1"}, body={"a": "1"}).fits(call)
    assert set() == {"query", "body"} & vars(call).keys()


@pytest.mark.parametrize("name", ["ContentBytes", "content_bytes", "CONTENTBYTES", "_content__bytes_"])
def test_folded(name: str) -> None:
    """Names of members are the same without case and underscores."""
    assert "contentbytes" == folded(name)
