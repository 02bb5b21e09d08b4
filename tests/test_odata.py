"""OData in Python: filters, order and pages over a few records, error messages, and the grammar."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import AttendeeType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata import Collection, Kind, Member, Query, Vocabulary, apply, read
from outlook_emulator.odata.grammar import SyntaxProblem, parse
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
    """A small record."""

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


def matches(filter: str | None = None, **more: object) -> list[str]:
    query = read(VOCABULARY, filter=filter, **more)  # type: ignore[arg-type]
    names = {thing: name for name, thing in THINGS.items()}
    return [names[thing] for thing in apply(query, THINGS.values(), key_of)]


MATCHES = [
    # Texts ignore the case of ASCII letters and sort by code point. Quotes are doubled, wildcards have no meaning.
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
    # Ids are looked up; an unknown id matches nothing.
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


@pytest.mark.parametrize(("filter", "names"), MATCHES)
def test_filter_matches(filter: str | None, names: str) -> None:
    """A filter returns exactly the records that match, in their original order."""
    assert names.split() == matches(filter)


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
    """Null sorts first, texts sort by folded code points, and the sort is stable."""
    assert names.split() == matches(orderby=orderby)


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
    """A page is taken after ordering, and may lie beyond the end."""
    assert names.split() == matches(top=top, skip=skip)


def test_page_follows_filter_and_order() -> None:
    """The filter applies first, then the order, then the page."""
    assert ["plan"] == matches("startswith(Subject,'plan')", orderby="Subject desc", top=1, skip=1)


REJECTED = [
    # Syntax, with the position.
    ("(", "at position 2: it ends too early"),
    ("Subject eq", "at position 9: 'eq' is not expected"),
    ("Subject eq 'x", "at position 12: ''x' is not expected"),
    ("Subject eq 'a')", "at position 15: ')' is not expected"),
    ("  Subject xor 'a'", "at position 11: 'xor 'a'' is not expected"),
    ("$it eq 1", "at position 1: "),
    ("Subject eq datetime'2026' or", "at position 27: 'or'"),
    ("f(x=1,y=2,z=3)", "at position 4: '=1,y=2,z=3)' is not expected"),
    ("a/b/c/any(x: x eq 1)", "any or all on 'a/b/c'"),
    ("a/" * 3000 + "a eq 1", "names 'a/a/a/"),
    ("x" * (MAX_LENGTH + 1), f"longer than {MAX_LENGTH} characters"),
    ("not " * (MAX_DEPTH + 1) + "IsAllDay", f"deeper than {MAX_DEPTH}"),
    ("Subject eq '\ud800'", "not allowed in text"),
    ("Subject eq '\0'", "not allowed in text"),
    # Members.
    ("Colour eq 'x'", "names 'Colour'"),
    ("People/any(p: p/Colour eq 'x')", "names 'p/Colour'"),
    ("p/Name eq 'x'", "names 'p/Name'"),
    ("Tags eq 'x'", "the list 'Tags' as a single value"),
    ("Subject/any(s: s eq 'x')", "any or all on 'Subject'"),
    # Kinds.
    ("Subject", "needs a condition, but has 'Subject' (a text)"),
    ("Tags/any(t: t)", "needs a condition, but has 't' (a text)"),
    ("null", "needs a condition, but has null"),
    ("5 and IsAllDay", "needs a condition, but has a number"),
    ("Subject eq 1", "compares 'Subject' (a text) with a number"),
    ("Size eq 'x'", "compares 'Size' (a number) with the text 'x'"),
    ("IsAllDay eq 1", "compares 'IsAllDay' (true or false) with a number"),
    ("Size eq ShowAs", "compares 'Size' (a number) with 'ShowAs' (a number)"),
    ("Start lt Subject", "compares 'Start' (a date and time) with 'Subject' (a text)"),
    ("Start ge 'soon'", "'soon', which is not a date"),
    ("Start ge '2026-02-30'", "'2026-02-30', which is not a date"),
    ("Start ge '9999-12-31T23:59:59-14:00'", "which is not a date"),
    ("Start ge 5", "compares 'Start' (a date and time) with a number"),
    ("ShowAs eq 'Sleeping'", "compares 'ShowAs' (a number) with 'Sleeping'; expected one of Unknown, Free,"),
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
    ("substring(Subject,-1) eq 'x'", "the function 'substring' with a position"),
    ("substring(Subject,Size) eq 'x'", "the function 'substring' with a position"),
    ("Size add 1 eq 2", "the operator add, which isn't supported"),
    ("- 5 eq Size", "negates a number"),
]


@pytest.mark.parametrize(("filter", "problem"), REJECTED, ids=[problem for _, problem in REJECTED])
def test_filter_is_rejected(filter: str, problem: str) -> None:
    """An invalid filter is rejected with the parameter's name, and the property or the position."""
    with pytest.raises(InvalidRequest) as error:
        read(VOCABULARY, filter=filter)

    assert error.value.message.startswith("The query parameter '$filter' ")
    assert problem in error.value.message


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
def test_orderby_is_rejected(orderby: str, problem: str) -> None:
    """An invalid order is rejected in the same way."""
    with pytest.raises(InvalidRequest) as error:
        read(VOCABULARY, orderby=orderby)

    assert error.value.message.startswith("The query parameter '$orderby' ")
    assert problem in error.value.message


@pytest.mark.parametrize("name", ["top", "skip"])
def test_negative_page_is_rejected(name: str) -> None:
    """A page's size and start must not be negative."""
    with pytest.raises(InvalidRequest, match=rf"'\${name}' must not be negative, but is -1"):
        read(VOCABULARY, **{name: -1})  # type: ignore[arg-type]


def test_empty_query() -> None:
    """A query without parameters matches everything."""
    assert Query(None, (), None, 0) == read(VOCABULARY)


def test_read_once() -> None:
    """The same text with the same vocabulary is parsed once."""
    first, second = (read(VOCABULARY, filter="Subject eq 'x'", orderby="Subject", top=3) for _ in range(2))

    assert first == second
    assert first.where is second.where


@pytest.mark.parametrize("joint", [" or ", " and "])
def test_long_chain(joint: str) -> None:
    """Neither a long chain nor parentheses count as nesting."""
    chain = joint.join(["true"] * 800)

    assert list(THINGS) == matches("(" * 200 + chain + ")" * 200)


def test_parser_is_imported_when_needed() -> None:
    """lark is imported with the first filter, since it is slow to import."""
    program = "import sys, outlook_emulator.odata; sys.exit('lark' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode


# --- The grammar ---

LEVELS: dict[str, int] = {
    "or": 1,
    "and": 2,
    "eq": 3,
    "ne": 3,
    "gt": 4,
    "ge": 4,
    "lt": 4,
    "le": 4,
    "add": 5,
    "sub": 5,
    "mul": 6,
    "div": 6,
    "mod": 6,
    "not": 7,
}
"""The precedence of each operator in the OData standard."""

OPERANDS = ["Subject", "Place/DisplayName", "5", "-1.5e3", "'it''s'", "null", "true", "2026-01-01", "year(Start)"]


def expressions() -> st.SearchStrategy[Any]:
    """Operands, `("not", x)` and `(operator, left, right)`."""
    binary = st.sampled_from([operator for operator in LEVELS if operator != "not"])
    return st.recursive(
        st.sampled_from(OPERANDS),
        lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(binary, inner, inner)),
        max_leaves=12,
    )


def written(expression: Any, level: int = 0) -> str:
    """The expression as OData text, with parentheses only where an operator needs them."""
    if isinstance(expression, str):
        return expression
    operator, *operands = expression
    own = LEVELS[operator]
    if operator == "not":
        text = f"not {written(operands[0], own)}"
    else:
        # Operators are left-associative: an equal level on the right needs parentheses.
        text = f"{written(operands[0], own)} {operator} {written(operands[1], own + 1)}"
    return f"({text})" if own < level else text


def structure(source: Any) -> Any:
    """A syntax tree as an expression."""
    if isinstance(source, str):
        return str(source)
    parts = source.children
    match str(source.data):
        case "path":
            return "/".join(parts)
        case "call":
            return f"{parts[0]}({structure(parts[1])})"
        case "not":
            return ("not", structure(parts[0]))
        case "and" | "or" as operator:
            first, *rest = map(structure, parts)
            for operand in rest:
                first = (operator, first, operand)
            return first
    left, operator, right = parts
    return (operator.strip(), structure(left), structure(right))


@settings(deadline=None)
@given(expression=expressions())
def test_operators_bind_as_the_standard_says(expression: Any) -> None:
    """An expression written with the fewest parentheses is parsed to the same expression."""
    assert expression == structure(parse(written(expression)))


@settings(deadline=None)
@given(expression=expressions(), spaces=st.sampled_from([" ", "  ", "\t"]))
def test_spaces_case_and_parentheses_do_not_matter(expression: Any, spaces: str) -> None:
    """More parentheses, more white space and keywords in capitals do not change what is parsed."""

    def spread(expression: Any) -> str:
        if isinstance(expression, str):
            return expression
        operator, *operands = expression
        texts = [f"({spaces}{spread(operand)}{spaces})" for operand in operands]
        return f"{spaces}{operator.upper()}{spaces}".join(texts if len(texts) == 2 else ["", *texts]).lstrip()

    def folded(expression: Any) -> Any:
        return expression if isinstance(expression, str) else (expression[0].lower(), *map(folded, expression[1:]))

    assert expression == folded(structure(parse(spread(expression))))


@settings(deadline=None)
@given(text=st.text("ab/()'= eqndotr,:-5.", max_size=30))
def test_any_other_text_is_a_syntax_problem(text: str) -> None:
    """Every text is either parsed or rejected with a position inside it."""
    position = 0
    try:
        parse(text)
    except SyntaxProblem as problem:
        position = problem.position

    assert 0 <= position <= len(text)
