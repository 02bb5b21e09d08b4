"""Matching requests: text patterns, paths, query parameters and members of the body."""

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


def facts(query: bytes = b"", body: bytes = b"", **more: str) -> CallFacts:
    """The facts of a request that sends a mail, with some values replaced."""
    usual = {
        "connection": "c1",
        "operation": "SendEmailV2",
        "family": "SendEmail",
        "method": "POST",
        "path": "/v2/Mail",
    }
    return CallFacts(**{**usual, **more}, query=query, body=body)


def reference_like(pattern: str, text: str) -> bool:
    """A reference implementation of pattern matching, character by character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(reference_like(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return text[:1] == pattern[0] and reference_like(pattern[1:], text[1:])


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
    """A pattern matches a whole text without case; `*` matches any text, and no other character is special."""
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
    """A value that is not a text is compared as its JSON text."""
    assert like(pattern, value)
    assert not like(f"{pattern}x", value)


@given(PATTERNS, st.text(CHARACTERS, max_size=8))
@FIXED
def test_like_agrees_with_the_reference(pattern: str, text: str) -> None:
    """Pattern matching agrees with the reference implementation."""
    assert reference_like(pattern, text) is like(pattern, text)


@given(st.text(max_size=20))
@FIXED
def test_text_is_like_itself(text: str) -> None:
    """A text matches itself, and `*` can stand for its beginning or its end."""
    middle = len(text) // 2

    assert like(text, text)
    assert like(f"{text[:middle]}*", text)
    assert like(f"*{text[middle:]}", text)


def test_pattern_of_many_stars() -> None:
    """A pattern with many stars is matched without trying every combination."""
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
    """Two patterns meet if some text matches both."""
    assert expected is meet(pattern, other)


@given(PATTERNS, PATTERNS)
@example("*a*", "*b*")
@example("**", "")
@example("a*a", "*aa*")
@FIXED
def test_meet_is_symmetric(pattern: str, other: str) -> None:
    """The order of the two patterns does not matter."""
    assert meet(pattern, other) is meet(other, pattern)


@given(st.text("ab*", max_size=3), st.text("ab*", max_size=3))
@FIXED
def test_meet_agrees_with_a_search_of_all_texts(pattern: str, other: str) -> None:
    """Two patterns meet exactly if one of all short texts matches both."""
    assert any(like(pattern, text) and like(other, text) for text in TEXTS) is meet(pattern, other)


@given(PATTERNS, st.text("ab", max_size=8))
@FIXED
def test_pattern_meets_the_texts_it_matches(pattern: str, text: str) -> None:
    """A pattern without stars is a text, and meets exactly the patterns that match it."""
    assert like(pattern, text) is meet(pattern, text)


@pytest.mark.parametrize(
    ("raw", "has_connection", "path"),
    [
        (b"/apim/outlook/c1/v2/Mail", True, "/v2/Mail"),
        (b"/apim/outlook/c1//v2/Mail/", True, "/v2/Mail"),
        (b"/apim/outlook/c1/v2//Mail//", True, "/v2//Mail/"),
        (b"/apim/outlook/c1///Mail", True, "//Mail"),
        (b"/apim/outlook/c1", True, "/"),
        (b"/apim/outlook/", True, "/"),
        (b"/apim/outlook/c%2F1/Mail/a%2Fb%3D", True, "/Mail/a/b="),
        (b"/apim/outlook/c1/Mail/a%252Fb", True, "/Mail/a%2Fb"),
        (b"/apim/outlook/c1/Mail/%C3%A4", True, "/Mail/ä"),
        (b"/apim/outlook/c1/Mail/%FF", True, "/Mail/\N{REPLACEMENT CHARACTER}"),
        (b"/apim/outlook/approval/respond", False, "/approval/respond"),
        (b"/apim/outlook//v2/Mail", False, "//v2/Mail"),
    ],
)
def test_path_below(raw: bytes, has_connection: bool, path: str) -> None:
    """A path starts after the connection id, if any, is is decoded once, and has no trailing slash.

    Of doubled slashes, only the one behind the connection id is undone.
    """
    assert path == path_below(raw, b"/apim/outlook/", has_connection)


def test_query_as_the_connector_reads_it() -> None:
    """Parameter names are in lower case, the first of a repeated parameter counts, and empty values are kept."""
    call = facts(query=b"folderPath=In%20box&top=&FOLDERPATH=Sent&q=a+b&bad=%FF")

    expected = {"folderpath": "In box", "top": "", "q": "a b", "bad": "\N{REPLACEMENT CHARACTER}"}
    assert expected == dict(call.query)


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"To":', b"\xff", b"[" * 5000])
def test_body_that_is_not_json(body: bytes) -> None:
    """A body that is not JSON matches no pattern for a member."""
    call = facts(body=body)

    assert call.body is None
    assert ["body.To"] == list(Match(body={"To": "*"}).differs(call))


def test_empty_match_fits_every_request() -> None:
    """An empty match fits every request, including one for which there is no operation."""
    assert Match().fits(facts())
    assert Match().fits(facts(operation="", family="", connection=""))


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
    """Each part of a match that differs is named, in order; a match fits if no part differs."""
    call = facts(query=b"folderpath=Inbox", body=b'{"To":"bob@example.com","Importance":1}')

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
    """Member names ignore case and underscores, dots reach inner members, and one matching list entry is enough."""
    body = {
        "To": "bob@example.com",
        "IsHtml": True,
        "Attachments": [{"Name": "a.txt", "ContentBytes": "QQ=="}, "no object", {"Name": "b.txt"}],
        "Nothing": None,
    }

    assert expected is Match(body={member: pattern}).fits(facts(body=orjson.dumps(body)))


def test_members_of_a_list() -> None:
    """A body that is a list matches if any of its entries matches."""
    call = facts(body=b'[{"a":1},{"a":2}]')

    assert Match(body={"a": "2"}).fits(call)
    assert not Match(body={"a": "3"}).fits(call)


def test_query_and_body_are_parsed_only_when_needed() -> None:
    """The query and the body are parsed only if the match uses them and everything else fits."""
    call = facts(query=b"a=1", body=b"{}")

    Match(connection="c1", path="/v2/*").fits(call)
    Match(connection="c2", query={"a": "1"}, body={"a": "1"}).fits(call)
    assert set() == {"query", "body"} & vars(call).keys()


@pytest.mark.parametrize("name", ["ContentBytes", "content_bytes", "CONTENTBYTES", "_content__bytes_"])
def test_folded(name: str) -> None:
    """Member names are compared without case and underscores."""
    assert "contentbytes" == folded(name)
