"""Search queries, run on an in-memory FTS5 index and compared with a direct evaluation of each mail."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import microseconds
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.mail.search import MAX_NESTING, MAX_TOKENS, MAX_WORDS, parse
from outlook_emulator.store.full_text import Alternative, TooManyAlternatives, alternatives
from outlook_emulator.store.search_tree import Span

Mail = dict[str, Any]

# A Wednesday; its week began on Sunday 8 March.
NOW = microseconds(datetime(2026, 3, 11, 15, 30, tzinfo=UTC))
EVERYTHING = (Alternative(None, None, None),)
COLUMNS = ("subject", "body", "sender", "recipients_to", "recipients_cc", "recipients_bcc", "attachments")
FREE = tuple(column for column in COLUMNS if column != "recipients_bcc")
DAY = timedelta(days=1)


def mail(subject: str, body: str, sender: str, received: str, **more: Any) -> Mail:
    plain = dict.fromkeys(COLUMNS, "") | {"unread": False, "flagged": False, "importance": "normal"}
    when = microseconds(datetime.fromisoformat(received))
    return plain | {"subject": subject, "body": body, "sender": sender, "received": when} | more


ADA, BOB = "Ada Lovelace ada@example.com", "Bob Stone bob@contoso.com"
MAILS: dict[str, Mail] = {
    "q1": mail("Q1 report", "The budget is attached.", ADA, "2026-01-05T00:00:00", attachments="q1-report.xlsx"),
    "q2": mail("Report for Q1", "No budget here", BOB, "2026-01-05T23:59:59.999999", importance="high", unread=True),
    "lunch": mail("Lunch?", "Pizza at noon", BOB, "2026-01-06T00:00:00", recipients_to=ADA, flagged=True),
    "cafe": mail("Café tomorrow", "Crème brûlée", ADA, "2026-02-01T12:00:00", recipients_cc=BOB),
    "secret": mail("Hush", "Hidden copy", ADA, "2026-02-15T10:00:00.400", recipients_bcc=BOB, importance="low"),
    "re": mail("RE: Budget", "I agree, say no more", BOB, "2026-03-01T08:00:00", recipients_to=ADA, unread=True),
    "sat": mail("Weekend", "See you", "carol@contoso.com", "2026-03-07T23:59:59", recipients_to=f"{ADA} {BOB}"),
    "sun": mail("Projects", "Projection of sales", "carol@contoso.com", "2026-03-08T00:00:00", flagged=True),
    "mon": mail("Logs", "error: disk full", "noreply@ops.example.com", "2026-03-10T09:00:00", attachments="disk.log"),
    "now": mail("Alert", "all unread flagged", "noreply@ops.example.com", "2026-03-11T15:29:00", unread=True),
    "old": mail("Archive", "Last year in review", ADA, "2025-12-31T23:00:00", importance="high"),
    "bare": mail("", "", "", "2024-06-01T00:00:00"),
}
NAMES = frozenset(MAILS)


# --- A small store ---


def tags(message: Mail) -> str:
    words = ["all", f"importance{message['importance']}"]
    words += ["hasattachment"] if message["attachments"] else []
    words += [name for name in ("unread", "flagged") if message[name]]
    return " ".join(words)


def store_of(mails: list[Mail]) -> sqlite3.Connection:
    """An index of the mails, numbered from 0."""
    store = sqlite3.connect(":memory:")
    columns = ", ".join((*COLUMNS, "tags"))
    store.execute(f"CREATE VIRTUAL TABLE text USING fts5({columns}, tokenize='unicode61 remove_diacritics 2')")
    store.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, received INTEGER)")
    for number, message in enumerate(mails):
        store.execute("INSERT INTO mail VALUES (?, ?)", (number, message["received"]))
        values = [number, *(message[column] for column in COLUMNS), tags(message)]
        store.execute(f"INSERT INTO text(rowid, {columns}) VALUES (?,?,?,?,?,?,?,?,?)", values)
    return store


def search(store: sqlite3.Connection, query: str) -> set[int]:
    return {number for alternative in alternatives(parse(query, NOW)) for number in run(store, alternative)}


def run(store: sqlite3.Connection, alternative: Alternative) -> set[int]:
    sql = "SELECT id FROM mail WHERE 1"
    values: list[str | int] = []
    if alternative.match is not None:
        sql += " AND id IN (SELECT rowid FROM text WHERE text MATCH ?)"
        values.append(alternative.match)
    for bound, condition in ((alternative.since, "received >= ?"), (alternative.until, "received <= ?")):
        if bound is not None:
            sql += f" AND {condition}"
            values.append(bound)
    return {number for (number,) in store.execute(sql, values)}


@pytest.fixture(scope="module")
def store() -> Iterator[sqlite3.Connection]:
    connection = store_of(list(MAILS.values()))
    yield connection
    connection.close()


# --- Query results ---

BEFORE_MARCH = "q1 q2 lunch cafe secret old bare"
FOUND = [
    # Words and phrases.
    ("budget", "q1 q2 re"),
    ("BUDGET", "q1 q2 re"),
    ("q1 report", "q1 q2"),
    ('"q1 report"', "q1"),
    ("lovelace", "q1 lunch cafe secret re sat old"),
    ("cafe", "cafe"),
    ("creme brûlée", "cafe"),
    ("proj*", "sun"),
    ("proj", ""),
    ('"proj*"', ""),
    ("bob@con*", "q2 lunch cafe re sat"),
    ("q1-report.xlsx", "q1"),
    ("disk.log", "mon"),
    ("hasattachment", ""),
    ("unread", "now"),
    ('pizza"at noon"', "lunch"),
    # Properties.
    ("from:ada", "q1 cafe secret old"),
    ("FROM:Ada", "q1 cafe secret old"),
    ("from: ada", "q1 cafe secret old"),
    ("from=ada", "q1 cafe secret old"),
    ("from:ada@example.com", "q1 cafe secret old"),
    ("from:<ada@example.com>", "q1 cafe secret old"),
    ('from:"Ada Lovelace" lunch', ""),
    ("from:example.com", "q1 cafe secret mon now old"),
    ("to:ada", "lunch re sat"),
    ("cc:bob", "cafe"),
    ("bcc:bob", "secret"),
    ("participants:bob", "q2 lunch cafe secret re sat"),
    ("subject:report", "q1 q2"),
    ("subject:re:", "re"),
    ("subject: re:budget", "re"),
    ("body:report", ""),
    ("attachment:report", "q1"),
    ("attachment:disk*", "mon"),
    ("hasattachment:true", "q1 mon"),
    ("hasattachments:YES", "q1 mon"),
    ("hasAttachments:1 -from:ada", "mon"),
    ("hasattachment:no from:ada", "cafe secret old"),
    ("isread:false", "q2 re now"),
    ("isread:true subject:report", "q1"),
    ("isflagged:yes", "lunch sun"),
    ("importance:high", "q2 old"),
    ('importance:"Low"', "secret"),
    ("importance:normal from:ada", "q1 cafe"),
    # Unknown properties, and text that only looks like a property.
    ("error:disk", "mon"),
    ('error:"disk full"', "mon"),
    ("error:(disk OR pizza)", "mon"),
    ("NOT error:disk from:noreply", "now"),
    ("RE: budget", "re"),
    ("body:(error:disk)", "mon"),
    ("subject: error:disk", ""),
    # AND, OR, NOT, minus, parentheses.
    ("budget AND from:bob", "q2 re"),
    ("pizza OR brulee", "lunch cafe"),
    ("pizza or brulee", ""),
    ("budget from:ada OR pizza", "q1 lunch"),
    ("budget AND (from:ada OR subject:re)", "q1 re"),
    ("budget NOT from:ada", "q2 re"),
    ("budget AND NOT from:ada", "q2 re"),
    ("budget -from:ada", "q2 re"),
    ("budget -(from:ada OR isread:no)", ""),
    ('budget -"q1 report"', "q2 re"),
    ("NOT NOT pizza", "lunch"),
    ("NOT -pizza", "lunch"),
    ("--pizza", "lunch"),
    ("say-no", "re"),
    ("say - no", "re"),
    ("from:(ada OR carol)", "q1 cafe secret sat sun old"),
    ("from:(noreply -to:ada)", "mon now"),
    ('subject:("q1 report" OR budget)', "q1 re"),
    ("subject:(report q1)", "q1 q2"),
    ("from:(noreply subject:alert)", "now"),
    ("importance:(high OR low)", "q2 secret old"),
    ("NOT (pizza OR from:ada OR from:carol OR from:noreply)", "q2 re bare"),
    ("subject:AND", ""),
    # Dates.
    ("received:2026-01-05", "q1 q2"),
    ("sent:2026-01-05", "q1 q2"),
    ("received:1/5/2026", "q1 q2"),
    ("received=01/05/2026", "q1 q2"),
    ('received:"2026-01-05"', "q1 q2"),
    ("received<2026-01-05", "old bare"),
    ("received<=2026-01-05", "q1 q2 old bare"),
    ("received>2026-03-10", "now"),
    ("received>=2026-03-10", "mon now"),
    ("received:>=3/10/2026", "mon now"),
    ("received: >= 2026-03-10", "mon now"),
    ("received:2026-01-06..2026-02-01", "lunch cafe"),
    ("received:2026-02-01..2026-01-06", ""),
    ("received:2026-02-15T10:00:00Z", "secret"),
    ("received:2026-02-15T12:00:00+02:00", "secret"),
    ("received:2026-02-15T10:00", "secret"),
    ("received:2026-02-15T10:00:00.4000000z", "secret"),
    ("received:2026-02-15T10:00:00.5Z", ""),
    ("received>2026-02-15T10:00:00Z received<2026-03-01T08:00:00Z", ""),
    ("received:2026-03-10T09:00:00Z..2026-03-11T15:29:00Z", "mon now"),
    ("received:today", "now"),
    ("received:Yesterday", "mon"),
    ('received:"this week"', "sun mon now"),
    ("received:this week", "sun mon now"),
    ('received:"last  week"', "re sat"),
    ("received:last week from:carol", "sat"),
    ('received:"this month"', "re sat sun mon now"),
    ('received:"last month"', "cafe secret"),
    ('received>="last month" received<today', "cafe secret re sat sun mon"),
    ("received:yesterday..today", "mon now"),
    ('received:"last year"', "old"),
    ("received<this year", "old bare"),
    ('NOT received:"this year"', "old bare"),
    ("-received>=2026-03-01", BEFORE_MARCH),
    ("received:(today OR last week)", "re sat now"),
    ("received:(1/5/2026 OR 1/6/2026) from:bob", "q2 lunch"),
    ("from:ada OR received:today", "q1 cafe secret now old"),
    ("from:bob (received:1/6/2026 OR budget)", "q2 lunch re"),
    ("NOT (from:ada OR received>=2026-02-01)", "q2 lunch bare"),
    ("NOT (from:ada received:2026-01-05) subject:report", "q2"),
    ("received:today received:yesterday", ""),
    ("pizza OR received:today received:yesterday", "lunch"),
    # The whole query in quotes, as Graph callers write it.
    ('"from:ada"', "q1 cafe secret old"),
    (' "from:ada AND budget" ', "q1"),
    (r'"subject:\"q1 report\" OR pizza"', "q1 lunch"),
    ('"received>=2026-03-10"', "mon now"),
    ('"error: disk full"', "mon"),
    ('"from:ada" OR "pizza"', "lunch"),
    # No restriction.
    ("", " ".join(MAILS)),
    (" \t\n", " ".join(MAILS)),
    ('""', " ".join(MAILS)),
    ('"!!!"', " ".join(MAILS)),
    ("* budget", "q1 q2 re"),
    ("-!!!", ""),
    ("pizza OR !!!", " ".join(MAILS)),
    ("received:today OR NOT received:today", " ".join(MAILS)),
]


@pytest.mark.parametrize(("query", "names"), FOUND, ids=[query for query, _ in FOUND])
def test_query_finds(store: sqlite3.Connection, query: str, names: str) -> None:
    """A query matches exactly the mails that Outlook's search language describes."""
    matches = search(store, query)

    assert set(names.split()) == {name for number, name in enumerate(MAILS) if number in matches}


REFUSED = [
    ("(budget", 1, "never closed"),
    ("budget)", 7, "never opened"),
    ("a ()", 4, "term is missing"),
    ('say "hello', 5, "quote is never closed"),
    ('from:"ada', 6, "quote is never closed"),
    ("budget AND", 11, "term is missing"),
    ("AND budget", 1, "term is missing"),
    ("a OR OR b", 6, "term is missing"),
    ("NOT", 4, "term is missing"),
    ("from:", 6, "'from' has no value"),
    ("from: subject:x", 7, "'from' has no value"),
    ("(from:)", 7, "'from' has no value"),
    ("from:( )", 8, "term is missing"),
    ("received:soon", 10, "'soon' is not a date"),
    ("received:2026-02-30", 10, "'2026-02-30' is not a date"),
    ("received:2/30/2026", 10, "is not a date"),
    ("received:2026-01-01..", 10, "is not a date"),
    ("received>2026-01-01..2026-01-02", 10, "is not a date"),
    ("received:2026-01-01T25:00Z", 10, "is not a date"),
    ("received:9999-99-99", 10, "is not a date"),
    ("received:last", 10, "'last' is not a date"),
    ("isread:maybe", 8, "'maybe' is neither true nor false"),
    ("importance: urgent", 13, "'urgent' is not an importance"),
    ('"from:ada AND"', 14, "term is missing"),
    ("(" * 10_000, MAX_NESTING + 1, "nested deeper"),
    ("(" * 10_000 + "a" + ")" * 10_000, MAX_NESTING + 1, "nested deeper"),
    ("-(" * 10_000, 2 * MAX_NESTING + 2, "nested deeper"),
    ("subject:(" * 10_000, 9 * (MAX_NESTING + 1), "nested deeper"),
    ("a " * (MAX_WORDS + 1), 2 * MAX_WORDS + 1, "more than 500 words"),
    (f'b "{"a-" * MAX_WORDS}"', 3, "more than 500 words"),
    ("NOT " * MAX_TOKENS + "a", 4 * MAX_TOKENS + 1, "more than 2500 words, operators and parentheses"),
]


@pytest.mark.parametrize(("query", "position", "problem"), REFUSED, ids=[query[:30] for query, _, _ in REFUSED])
def test_invalid_syntax_is_rejected(query: str, position: int, problem: str) -> None:
    """A syntax error names the parameter, the position and the problem."""
    with pytest.raises(InvalidField, match=re.escape(problem)) as caught:
        parse(query, NOW)

    assert caught.value.message.startswith(f"'search_query' cannot be read at position {position}: ")


def test_many_negations_are_read() -> None:
    """A long chain of NOT is parsed without recursion, and an even number of them cancels out."""
    assert parse("pizza", NOW) == parse("NOT " * (MAX_TOKENS - 2) + "pizza", NOW)


def test_too_many_alternatives_are_rejected() -> None:
    """A query that combines dates and words in too many ways is rejected without enumerating them."""
    query = " ".join(f"(a{n} OR received>=2026-01-{n:02})" for n in range(1, 29))

    with pytest.raises(TooManyAlternatives):
        alternatives(parse(query, NOW))


def test_spans_do_not_multiply() -> None:
    """Excluding 16 days leaves 17 spans: the gaps between them, and the time before and after."""
    days = range(1, 32, 2)
    spans = alternatives(parse(" ".join(f"-received:2026-01-{day:02}" for day in days), NOW))

    assert len(days) + 1 == len(spans)


def test_text_is_split_only_for_dates() -> None:
    """A query without dates is one alternative; adding a date with AND bounds that alternative."""
    text = "(from:ada OR budget) -(pizza noon)"
    (plain,) = alternatives(parse(text, NOW))
    (dated,) = alternatives(parse(f"{text} received:1970-01-01", NOW))

    assert Alternative(plain.match, 0, 86_400_000_000 - 1) == dated


def test_fts5_syntax_is_plain_text(store: sqlite3.Connection) -> None:
    """FTS5's own syntax in a query is treated as text."""
    assert set() == search(store, "NEAR(a,b) ^subject {subject}:x + tags:all col:a*b;--")


@pytest.mark.parametrize(
    "side", ["({} x{n}) OR y{n}", "y{n} -({} x{n})", "y{n} OR -({} OR x{n})", "foo:({} OR y) -z{n}"]
)
def test_deepest_query_fits_the_index(store: sqlite3.Connection, side: str) -> None:
    """FTS5 accepts the deepest nesting that the parser accepts."""
    query = "pizza"
    for n in range(MAX_NESTING):
        query = side.replace("{n}", str(n)).replace("{}", query)

    for alternative in alternatives(parse(query, NOW)):
        run(store, alternative)


@pytest.mark.parametrize("joint", [" ", " OR ", " OR -", " -"])
def test_widest_query_fits_the_index(store: sqlite3.Connection, joint: str) -> None:
    """FTS5 accepts the greatest number of terms that the parser accepts."""
    search(store, joint.join(f"w{n}" for n in range(MAX_WORDS)))


def test_balanced_query_fits_the_index(store: sqlite3.Connection) -> None:
    """FTS5 accepts a balanced tree of the greatest number of terms."""

    def bush(depth: int, leaf: int) -> str:
        if not depth:
            return f"w{leaf}"
        joint = " OR " if depth % 2 else " "
        return f"({bush(depth - 1, 2 * leaf)}{joint}{bush(depth - 1, 2 * leaf + 1)})"

    assert set() == search(store, bush(8, 0))


@pytest.mark.parametrize(
    ("span", "outside"),
    [
        (Span(), ()),
        (Span(5, None), (Span(None, 4),)),
        (Span(None, 5), (Span(6, None),)),
        (Span(5, 6), (Span(None, 4), Span(7, None))),
        (Span(6, 5), (Span(),)),
    ],
)
def test_complement_of_a_span(span: Span, outside: tuple[Span, ...]) -> None:
    """The complement of a span is all time before and after it."""
    assert outside == span.complement()


@pytest.mark.parametrize(
    ("today", "words", "first", "days"),
    [
        ("2026-03-08", "this week", "2026-03-08", 7),
        ("2026-03-14", "this week", "2026-03-08", 7),
        ("2026-01-01", "last week", "2025-12-21", 7),
        ("2024-03-31", "last month", "2024-02-01", 29),
        ("2026-01-31", "last month", "2025-12-01", 31),
        ("2026-02-28", "this month", "2026-02-01", 28),
        ("2024-12-31", "this year", "2024-01-01", 366),
        ("2026-01-01", "last year", "2025-01-01", 365),
        ("2026-01-01", "yesterday", "2025-12-31", 1),
    ],
)
def test_relative_dates(today: str, words: str, first: str, days: int) -> None:
    """Relative dates follow the calendar from the current instant, and weeks begin on Sunday."""
    start = microseconds(datetime.fromisoformat(first))
    now = microseconds(datetime.fromisoformat(today)) + 86_399_999_999

    assert Span(start, start + days * 86_400_000_000 - 1) == parse(f'received:"{words}"', now)


# --- Generated queries against a direct evaluation ---

VOCABULARY = ["ada", "bob", "budget", "bud", "report", "q1"]
DATES = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 6)]
TEXT_PROPERTIES = {
    "from": ("sender",),
    "to": ("recipients_to",),
    "cc": ("recipients_cc",),
    "bcc": ("recipients_bcc",),
    "participants": ("sender", "recipients_to", "recipients_cc", "recipients_bcc"),
    "subject": ("subject",),
    "body": ("body",),
    "attachment": ("attachments",),
    "": FREE,
}
FLAGS: dict[str, Callable[[Mail], bool]] = {
    "hasattachment": lambda message: bool(message["attachments"]),
    "isread": lambda message: not message["unread"],
    "isflagged": lambda message: bool(message["flagged"]),
}
Tree = tuple[Any, ...]
NEGATIONS = st.sampled_from(["NOT ", "-"])
CONJUNCTIONS = st.sampled_from([" AND ", " "])

phrases = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=2).map(" ".join)
leaves = st.one_of(
    st.tuples(st.just("text"), st.sampled_from(sorted(TEXT_PROPERTIES)), phrases, st.booleans()),
    st.tuples(st.just("flag"), st.sampled_from(sorted(FLAGS)), st.booleans()),
    st.tuples(st.just("importance"), st.sampled_from(["low", "normal", "high"])),
    st.tuples(st.just("date"), st.sampled_from([":", "=", "<", "<=", ">", ">="]), st.sampled_from(DATES)),
    st.tuples(st.just("range"), st.sampled_from(DATES), st.sampled_from(DATES)),
)
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)
texts = st.lists(st.sampled_from(VOCABULARY), max_size=3).map(" ".join)
mails = st.builds(
    lambda text, flags, importance, day, offset: (
        dict(zip(COLUMNS, text, strict=True))
        | {"unread": flags[0], "flagged": flags[1], "importance": importance}
        | {"received": microseconds(day) + offset}
    ),
    st.tuples(*[texts] * len(COLUMNS)),
    st.tuples(st.booleans(), st.booleans()),
    st.sampled_from(["low", "normal", "high"]),
    st.sampled_from(DATES),
    st.sampled_from([0, 1, 86_399_999_999]),
)


def holds(tree: Any, message: Mail) -> bool:
    """Whether a mail matches the query tree, evaluated without an index."""
    match tree:
        case ("not", inner):
            return not holds(inner, message)
        case ("and", parts):
            return all(holds(part, message) for part in parts)
        case ("or", parts):
            return any(holds(part, message) for part in parts)
        case ("text", name, phrase, prefix):
            return any(contains(message[column], phrase, prefix) for column in TEXT_PROPERTIES[name])
        case ("flag", name, value):
            return FLAGS[name](message) is value
        case ("importance", level):
            return bool(message["importance"] == level)
        case ("date", comparison, day):
            return compares(comparison, message["received"], microseconds(day), microseconds(day + DAY))
        case ("range", first, last):
            return bool(microseconds(first) <= message["received"] < microseconds(last + DAY))
    raise AssertionError(tree)


def contains(text: str, phrase: str, prefix: bool) -> bool:
    return f" {phrase}{'' if by_prefix(phrase, prefix) else ' '}" in f" {text} "


def by_prefix(phrase: str, prefix: bool) -> bool:
    return prefix and " " not in phrase


def compares(comparison: str, received: int, start: int, end: int) -> bool:
    outcomes = {"<": received < start, "<=": received < end, ">": received >= end, ">=": received >= start}
    return outcomes.get(comparison, start <= received < end)


def written(tree: Any, draw: st.DrawFn) -> str:
    """The query tree as text, in one of its possible spellings."""
    match tree:
        case ("not", inner):
            operand = grouped(inner, draw)
            # Two hyphens are text, as before a signature or for a dash.
            return ("NOT " if operand.startswith("-") else draw(NEGATIONS)) + operand
        case ("and", parts):
            return draw(CONJUNCTIONS).join(grouped(part, draw) for part in parts)
        case ("or", parts):
            return " OR ".join(grouped(part, draw) for part in parts)
        case ("text", name, phrase, prefix):
            return named(name, draw) + (f"{phrase}*" if by_prefix(phrase, prefix) else f'"{phrase}"')
        case ("flag", name, value):
            return named(name, draw) + draw(st.sampled_from(["true", "YES", "1"] if value else ["False", "no", "0"]))
        case ("importance", level):
            return named("importance", draw) + str(level)
        case ("date", comparison, day):
            return draw(st.sampled_from(["received", "Sent"])) + str(comparison) + date_text(day, draw)
        case ("range", first, last):
            return f"received:{date_text(first, draw)}..{date_text(last, draw)}"
    raise AssertionError(tree)


def grouped(tree: Tree, draw: st.DrawFn) -> str:
    text = written(tree, draw)
    return f"({text})" if tree[0] in ("and", "or") or draw(st.booleans()) else text


def named(name: str, draw: st.DrawFn) -> str:
    return draw(st.sampled_from([name, name.upper()])) + draw(st.sampled_from([":", ": "])) if name else ""


def date_text(day: datetime, draw: st.DrawFn) -> str:
    return draw(st.sampled_from([f"{day:%Y-%m-%d}", f"{day.month}/{day.day}/{day.year}"]))


@st.composite
def queries(draw: st.DrawFn) -> tuple[Tree, str]:
    tree = draw(trees)
    return tree, written(tree, draw)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(query=queries(), messages=st.lists(mails, min_size=1, max_size=6))
def test_index_agrees_with_direct_evaluation(query: tuple[Tree, str], messages: list[Mail]) -> None:
    """For any query the index returns exactly the mails that match when evaluated one by one."""
    tree, text = query
    store = store_of(messages)
    matches = search(store, text)
    store.close()

    assert {number for number, message in enumerate(messages) if holds(tree, message)} == matches


PIECES = ["AND", "OR", "NOT", "(", ")", '"', "-", "*", ":", "\\", " ", "from:", "received", "isread:", "foo:", "true"]
PIECES += [">=", "..", "2026-01-05", "T10:00Z", "1/5/2026", "last week", "ada", "\x00", "\ud800", "ſent:", "\U0001e900"]


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(query=st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_is_parsed_or_rejected(store: sqlite3.Connection, query: str) -> None:
    """Any text is either rejected or parsed to an expression that the index accepts."""
    try:
        ways = alternatives(parse(query, NOW))
    except (InvalidField, TooManyAlternatives):
        return
    for alternative in ways:
        assert run(store, alternative) <= set(range(len(MAILS)))
