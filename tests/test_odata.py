"""OData in Python: what a filter finds among a few records, how it orders and pages them, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import AttendeeType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata import Collection, Kind, Member, Query, Vocabulary, apply, read
from outlook_emulator.odata.reader import MAX_DEPTH, MAX_LENGTH

VOCABULARY = Vocabulary(
    "thing",
    {
        "id": Member("id", Kind.ID),
        "masterid": Member("master", Kind.ID),
        "subject": Member("subject"),
        "place": Member("place"),
        "place/displayname": Member("place"),
        "start/datetime": Member("start", Kind.INSTANT),
        "start": Member("start", Kind.INSTANT),
        "end": Member("end", Kind.INSTANT),
        "size": Member("size", Kind.NUMBER),
        "isallday": Member("whole", Kind.FLAG),
        "showas": Member("shown", Kind.NUMBER, ShowAs),
        "mobilephone1": Member("place"),
        "tags": Collection("tags", {"": Member("value")}),
        "people": Collection(
            "people",
            {
                "emailaddress/address": Member("value"),
                "name": Member("name"),
                "type": Member("type", Kind.NUMBER, AttendeeType),
            },
        ),
    },
)


class Thing(NamedTuple):
    """A record in miniature."""

    id: int
    subject: str
    start: int
    end: int
    place: str | None = None
    size: int | None = None
    whole: int = 0
    shown: int = 0
    master: int | None = None
    tags: str = "[]"
    people: str = "[]"


def instant(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


THINGS = {
    "plan": Thing(1, "Plan", instant("2026-01-01T09:00:00"), instant("2026-01-01T10:00:00"), "Room 1", 15, shown=2),
    "obrien": Thing(2, "O'Brien", instant("2026-02-01T00:00:00"), instant("2026-02-02T00:00:00"), None, 0, whole=1),
    "cafe": Thing(3, "CAFÉ 100%", instant("2026-02-01T12:30:45.123456"), instant("2026-02-01T12:30:45.123456"), "room"),
    "old": Thing(
        4,
        "plan_b",
        instant("1969-12-31T23:59:59.5"),
        instant("1970-01-01T00:00:00"),
        "",
        -3,
        master=1,
        shown=-1,
        tags='["Blue","red"]',
        people='[["ada@example.com","Ada",1,3,null],["bob@example.com","",2,0,null]]',
    ),
    "team": Thing(
        5,
        "Team",
        instant("2026-03-01T08:00:00"),
        instant("2026-03-01T09:00:00"),
        "Team room",
        tags='["RED"]',
        people='[["ADA@example.com"]]',
    ),
}


def key_of(text: str) -> int | None:
    return int(text.removeprefix("AQ")) if text.startswith("AQ") else None


def found(filter: str | None = None, **more: object) -> list[str]:
    query = read(VOCABULARY, filter=filter, **more)  # type: ignore[arg-type]
    names = {thing: name for name, thing in THINGS.items()}
    return [names[thing] for thing in apply(query, THINGS.values(), key_of)]


FOUND = [
    # Texts: without case for ASCII, by code points, quotes doubled, wildcards are plain.
    ("Subject eq 'plan'", "plan"),
    ("  SUBJECT   eq  'PLAN'  ", "plan"),
    ("subject eq 'O''Brien'", "obrien"),
    ("Subject eq 'café 100%'", ""),
    ("Subject eq 'cafÉ 100%'", "cafe"),
    ("'plan' eq Subject", "plan"),
    ("Subject ne 'plan'", "obrien cafe old team"),
    ("Subject gt 'PLAN'", "old team"),
    ("'PLAN' lt Subject", "old team"),
    ("Subject ge 'plan' and Subject lt 'plan_'", "plan"),
    ("Place/DisplayName eq 'Room'", "cafe"),
    ("MobilePhone1 eq 'Room'", "cafe"),
    ("Subject EQ 'plan'", "plan"),
    # Null.
    ("Place eq null", "obrien"),
    ("null eq Place", "obrien"),
    ("Place ne null", "plan cafe old team"),
    ("Place ne 'room'", "plan obrien old team"),
    ("Place eq ''", "old"),
    ("Place lt 'zzz'", "plan cafe old team"),
    ("not (Place lt 'zzz')", "obrien"),
    ("Place gt null", ""),
    ("Place in ('room', null)", "obrien cafe"),
    ("Size eq null", "cafe team"),
    ("contains(Place, 'x') eq false", "plan obrien cafe old team"),
    ("contains(Subject, null)", ""),
    ("null eq null and Size eq 0", "obrien"),
    # Logic.
    ("Subject eq 'plan' or Subject eq 'team' and IsAllDay", "plan"),
    ("(Subject eq 'plan' or Subject eq 'team') and not IsAllDay", "plan team"),
    ("not(IsAllDay)", "plan cafe old team"),
    ("not not IsAllDay", "obrien"),
    ("IsAllDay", "obrien"),
    ("IsAllDay eq false", "plan cafe old team"),
    ("IsAllDay ne true", "plan cafe old team"),
    ("(Size eq 15) eq true", "plan"),
    ("1 eq 1", "plan obrien cafe old team"),
    ("true", "plan obrien cafe old team"),
    ("false", ""),
    # Numbers, enumerations, lists.
    ("Size ge 0", "plan obrien"),
    ("Size gt -3.5", "plan obrien old"),
    ("Size eq 1.5e1", "plan"),
    ("Size in (15, -3)", "plan old"),
    ("Subject in ('team')", "team"),
    ("Subject in ( 'team' )", "team"),
    ("not (Subject in ('team','plan'))", "obrien cafe old"),
    ("ShowAs eq 'busy'", "plan"),
    ("ShowAs eq 2", "plan"),
    ("ShowAs eq '2'", "plan"),
    ("ShowAs eq Microsoft.OutlookServices.FreeBusyStatus'Busy'", "plan"),
    ("ShowAs lt 'Free'", "old"),
    ("ShowAs in ('Busy', 'unknown')", "plan old"),
    # Instants.
    ("Start/DateTime ge 2026-02-01T00:00:00Z", "obrien cafe team"),
    ("start/dateTime ge '2026-02-01T00:00:00'", "obrien cafe team"),
    ("Start ge 2026-02-01", "obrien cafe team"),
    ("Start ge '2026-02-01' and Start lt datetime'2026-03-01T00:00:00'", "obrien cafe"),
    ("Start eq 2026-02-01T12:30:45.1234567Z", "cafe"),
    ("Start eq 2026-02-01T14:30:45.123456+02:00", "cafe"),
    ("Start lt 1970-01-01T00:00Z", "old"),
    ("Start in (2026-02-01, datetimeoffset'2026-03-01T08:00:00Z')", "obrien team"),
    ("Start lt End", "plan obrien old team"),
    ("Start eq End", "cafe"),
    # Ids are looked up; what nobody gave out is nothing's.
    ("Id eq 'AQ3'", "cafe"),
    ("Id ne 'AQ3'", "plan obrien old team"),
    ("Id in ('AQ1','nonsense','AQ5')", "plan team"),
    ("Id eq 'nonsense'", ""),
    ("Id ne 'nonsense'", "plan obrien cafe old team"),
    ("MasterId ne 'nonsense'", "plan obrien cafe old team"),
    ("MasterId eq 'AQ1'", "old"),
    ("MasterId eq null", "plan obrien cafe team"),
    # Functions.
    ("contains(Subject,'LAN')", "plan old"),
    ("substringof('lan', Subject)", "plan old"),
    ("StartsWith(Subject, 'plan_')", "old"),
    ("contains(Subject,'%')", "cafe"),
    ("endswith(Subject,'m') eq true", "team"),
    ("contains(Place, Subject)", "team"),
    ("tolower(Subject) eq 'PLAN'", "plan"),
    ("contains(toupper(Subject), 'team')", "team"),
    ("length(Subject) eq 4", "plan team"),
    ("indexof(Subject, 'an') eq 2", "plan old"),
    ("trim(concat('  ', Place)) eq 'room'", "cafe"),
    ("substring(Subject, 4) eq '_B'", "old"),
    ("substring(Subject, 1, 2) eq 'la'", "plan old"),
    ("year(Start) eq 1969 and month(Start) eq 12 and day(Start) eq 31", "old"),
    ("hour(Start) eq 23 and minute(Start) eq 59 and second(Start) eq 59", "old"),
    # Lists.
    ("Tags/any(t: t eq 'Red')", "old team"),
    ("tags/any(t:t eq 'blue')", "old"),
    ("Tags/all(t: t eq 'red')", "plan obrien cafe team"),
    ("Tags/any()", "old team"),
    ("not Tags/any()", "plan obrien cafe"),
    ("People/any(p: p/EmailAddress/Address eq 'ada@example.com')", "old team"),
    ("People/any( P : startswith(p/emailAddress/address,'bob') and p/Type eq 'Optional' )", "old"),
    ("People/any(p: p/Name eq null)", "team"),
    ("People/all(p: p/Type ne 'Required')", "plan obrien cafe team"),
    ("Tags/any(t: contains(Place, 'team') and t eq 'red')", "team"),
    ("Tags/any(t: People/any(p: p/Name eq 'Ada' and t eq 'blue'))", "old"),
    (None, "plan obrien cafe old team"),
    ("  ", "plan obrien cafe old team"),
]


@pytest.mark.parametrize(("filter", "names"), FOUND)
def test_filter_finds(filter: str | None, names: str) -> None:
    """A filter finds exactly the records that it describes, in the order they came."""
    assert names.split() == found(filter)


ORDERED = [
    ("Subject", "cafe obrien plan old team"),
    ("subject DESC", "team old plan obrien cafe"),
    ("Place", "obrien old cafe plan team"),
    ("Place desc", "team plan cafe old obrien"),
    ("IsAllDay desc, Start/DateTime desc", "obrien team cafe plan old"),
    ("ShowAs asc,Subject desc", "old team obrien cafe plan"),
    ("Size desc, Size asc", "plan obrien old cafe team"),
    ("", "plan obrien cafe old team"),
]


@pytest.mark.parametrize(("orderby", "names"), ORDERED)
def test_order(orderby: str, names: str) -> None:
    """Null comes first and texts go by folded code points; what is not ordered stays as it came."""
    assert names.split() == found(orderby=orderby)


@pytest.mark.parametrize(
    ("top", "skip", "names"),
    [
        (2, None, "plan obrien"),
        (2, 1, "obrien cafe"),
        (None, 3, "old team"),
        (0, 0, ""),
        (10**30, 10**30, ""),
    ],
)
def test_page(top: int | None, skip: int | None, names: str) -> None:
    """A page is cut after ordering, and may lie beyond the end."""
    assert names.split() == found(top=top, skip=skip)


def test_page_is_of_what_was_found() -> None:
    """Filter first, then order, then page."""
    assert ["plan"] == found("startswith(Subject,'plan')", orderby="Subject desc", top=1, skip=1)


REFUSED = [
    # Syntax, with the place.
    ("(", "at position 2: it ends too early"),
    ("Subject eq", "at position 9: 'eq' is not expected"),
    ("Subject eq 'x", "at position 12: ''x' is not expected"),
    ("Subject eq 'a')", "at position 15: ')' is not expected"),
    ("  Subject xor 'a'", "at position 11: 'xor 'a'' is not expected"),
    ("$it eq 1", "at position 1: "),
    ("Subject eq datetime'2026' or", "at position 27: 'or'"),
    ("f(x=1,y=2,z=3)", "malformed"),
    ("a/b/c/any(x: x eq 1)", "malformed"),
    ("a/" * 3000 + "a eq 1", "malformed"),
    ("x" * (MAX_LENGTH + 1), f"longer than {MAX_LENGTH} characters"),
    ("not " * (MAX_DEPTH + 1) + "IsAllDay", f"deeper than {MAX_DEPTH}"),
    ("Subject eq '\ud800'", "no text can have"),
    ("Subject eq '\0'", "no text can have"),
    # Members.
    ("Colour eq 'x'", "names 'Colour'"),
    ("People/any(p: p/Colour eq 'x')", "names 'p/Colour'"),
    ("p/Name eq 'x'", "names 'p/Name'"),
    ("Tags eq 'x'", "the list 'Tags' as a single value"),
    ("Subject/any(s: s eq 'x')", "any or all of 'Subject'"),
    # Kinds.
    ("Subject", "needs a condition where it has 'Subject' (a text)"),
    ("Tags/any(t: t)", "needs a condition where it has 't' (a text)"),
    ("null", "needs a condition where it has null"),
    ("5 and IsAllDay", "needs a condition where it has a number"),
    ("Subject eq 1", "compares 'Subject' (a text) with a number"),
    ("Size eq 'x'", "compares 'Size' (a number) with the text 'x'"),
    ("IsAllDay eq 1", "compares 'IsAllDay' (true or false) with a number"),
    ("Size eq ShowAs", "compares 'Size' (a number) with 'ShowAs' (a number)"),
    ("Start lt Subject", "compares 'Start' (a date and time) with 'Subject' (a text)"),
    ("Start ge 'soon'", "'soon', which is no date"),
    ("Start ge '2026-02-30'", "'2026-02-30', which is no date"),
    ("Start ge '9999-12-31T23:59:59-14:00'", "which is no date"),
    ("Start ge 5", "compares 'Start' (a date and time) with a number"),
    ("ShowAs eq 'Sleeping'", "compares 'ShowAs' (a number) with 'Sleeping'; it is one of Unknown, Free,"),
    ("Id gt 'AQ1'", "compares 'Id' (an id) by 'gt'"),
    ("Id eq 1", "compares 'Id' (an id) with a number"),
    ("Subject in (Place)", "'Place' (a text) in a list"),
    ("Size eq 9223372036854775808", "too large"),
    ("Size eq " + "9" * 5000, "too large"),
    ("Start eq duration'P1D'", "a duration, which isn't supported"),
    # Functions.
    ("frobnicate(Subject)", "the function 'frobnicate', which isn't supported"),
    ("now() gt Start", "the function 'now', which isn't supported"),
    ("geo.length(Subject) eq 1", "the function 'geo.length', which isn't supported"),
    ("contains(Subject)", "the function 'contains' with 1 arguments"),
    ("contains(Size,'x')", "the function 'contains' with 'Size' (a number), not with a text"),
    ("contains(Subject,1)", "the function 'contains' with a number, not with a text"),
    ("substring(Subject,-1) eq 'x'", "the function 'substring' with a place"),
    ("substring(Subject,Size) eq 'x'", "the function 'substring' with a place"),
    ("Size add 1 eq 2", "the operator add, which isn't supported"),
    ("- 5 eq Size", "negates a number"),
]


@pytest.mark.parametrize(("filter", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_filter_is_refused(filter: str, problem: str) -> None:
    """What cannot be understood is refused with the parameter's name, and the member or the place."""
    with pytest.raises(InvalidRequest) as caught:
        read(VOCABULARY, filter=filter)

    assert caught.value.message.startswith("The query parameter '$filter' ")
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("orderby", "problem"),
    [
        ("Colour", "names 'Colour'"),
        ("Subject,Tags desc", "names 'Tags', which is a list"),
        ("Subject descending", "at position 1: 'Subject descending'"),
        ("Subject,", "at position 9"),
        ("tolower(Subject)", "at position 1"),
        ("Subject," * 2000, f"longer than {MAX_LENGTH}"),
    ],
)
def test_orderby_is_refused(orderby: str, problem: str) -> None:
    """So is an order."""
    with pytest.raises(InvalidRequest) as caught:
        read(VOCABULARY, orderby=orderby)

    assert caught.value.message.startswith("The query parameter '$orderby' ")
    assert problem in caught.value.message


@pytest.mark.parametrize("name", ["top", "skip"])
def test_page_is_refused(name: str) -> None:
    """A page has no negative size and no negative beginning."""
    with pytest.raises(InvalidRequest, match=rf"'\${name}' must not be negative, but is -1"):
        read(VOCABULARY, **{name: -1})  # type: ignore[arg-type]


def test_nothing_asked() -> None:
    """Without parameters, a query asks for everything."""
    assert Query(None, (), None, 0) == read(VOCABULARY)


def test_read_once() -> None:
    """The same text over the same vocabulary is read once."""
    first, second = (read(VOCABULARY, filter="Subject eq 'x'", orderby="Subject", top=3) for _ in range(2))

    assert first == second
    assert first.where is second.where


@pytest.mark.parametrize("joint", [" or ", " and "])
def test_long_chain(joint: str) -> None:
    """A chain is no nesting, however long, and neither are parentheses."""
    chain = joint.join(["true"] * 800)

    assert list(THINGS) == found("(" * 200 + chain + ")" * 200)


def test_parser_is_imported_when_needed() -> None:
    """The grammar costs more to import than the rest of a start-up."""
    program = "import sys, outlook_emulator.odata; sys.exit('odata_query' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
