"""OData queries in SQL: the same answers as in Python for anything that can be asked, and an index to find them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.errors import InvalidRequest
from emulator.mailbox.vocabularies import CONTACTS, EVENTS
from emulator.odata import Collection, Kind, Member, Query, Vocabulary, apply, read
from emulator.odata.tree import Item, Key, folded
from emulator.store import filters, records, sql
from emulator.store.database import Database
from emulator.store.filters import rows, statement

Row = dict[str, Any]

SHELF, OTHER_SHELF = 1, 2
RECORDS: dict[str, Any] = {"event": records.Event, "contact": records.Contact}
INSERTS = {"event": sql.INSERT_EVENT, "contact": sql.INSERT_CONTACT}
SHELVES = {"event": "calendar_id", "contact": "folder_id"}
USUAL_ORDER = {
    "event": lambda one: (one.start_at, one.id),
    "contact": lambda one: (folded(one.display_name), one.id),
}


def key_of(text: str) -> int | None:
    """Wire ids in miniature: `k7` is 7."""
    return int(text[1:]) if text.startswith("k") else None


def collections_of(vocabulary: Vocabulary) -> set[str]:
    return {one.field for one in vocabulary.members.values() if isinstance(one, Collection)}


def plain(vocabulary: Vocabulary, **values: Any) -> Row:
    """A row with nothing in it but `values`."""
    hints = RECORDS[vocabulary.kind].__annotations__
    row = {name: None if "None" in str(hint) else (0 if "int" in str(hint) else "") for name, hint in hints.items()}
    del row["id"]
    row |= dict.fromkeys(collections_of(vocabulary), "[]")
    return {**row, "mailbox_id": 1, SHELVES[vocabulary.kind]: SHELF, **values}


def insert(db: Database, vocabulary: Vocabulary, row: Row) -> int:
    """Store a row and the elements of its lists."""
    owner = db.insert(INSERTS[vocabulary.kind], row)
    for member in collections_of(vocabulary):
        for one in orjson.loads(row[member]):
            item = Item(one) if isinstance(one, str) else Item(*one[:4])
            element = {"kind": vocabulary.kind, "owner_id": owner, "member": member, **item._asdict()}
            db.insert(sql.INSERT_ELEMENT, element)
    return owner


def ids(db: Database, vocabulary: Vocabulary, **question: Any) -> list[int]:
    return [row[0] for row in rows(db, vocabulary, SHELF, read(vocabulary, **question), key_of)]


@pytest.fixture
def db() -> Iterator[Database]:
    made = Database()
    yield made
    made.close()


# --- Plain cases ---


def test_rows_are_records(db: Database) -> None:
    """A row is a record, column for column."""
    row = plain(CONTACTS, display_name="Ada", surname="Lovelace", birthday=-5)
    owner = insert(db, CONTACTS, row)

    (found,) = rows(db, CONTACTS, SHELF, read(CONTACTS, filter="startswith(surname,'love')"), key_of)

    assert {**row, "id": owner} == records.Contact._make(found)._asdict()


def test_only_the_shelf_is_searched(db: Database) -> None:
    """Other calendars are left out, and so are the exceptions of a series."""
    master = insert(db, EVENTS, plain(EVENTS, subject="x"))
    insert(db, EVENTS, plain(EVENTS, subject="x", master_id=master, original_start=1))
    insert(db, EVENTS, plain(EVENTS, subject="x", calendar_id=OTHER_SHELF))

    assert [master] == ids(db, EVENTS) == ids(db, EVENTS, filter="Subject eq 'X'", top=9)


def test_elements_belong_to_their_kind(db: Database) -> None:
    """An event and a contact of the same number do not share their lists."""
    contact = insert(db, CONTACTS, plain(CONTACTS, categories='["Blue"]'))
    event = insert(db, EVENTS, plain(EVENTS, categories='["Red"]'))

    assert contact == event
    assert [] == ids(db, EVENTS, filter="Categories/any(c: c eq 'Blue')")
    assert [contact] == ids(db, CONTACTS, filter="Categories/any(c: c eq 'BLUE')")


def test_usual_order(db: Database) -> None:
    """Events come by start, contacts by display name, and what is still equal in the order it was made."""
    early, late, tie = (insert(db, EVENTS, plain(EVENTS, start_at=start)) for start in (5, 9, 5))
    bob, ada = (insert(db, CONTACTS, plain(CONTACTS, display_name=name)) for name in ("bob", "Ada"))

    assert [early, tie, late] == ids(db, EVENTS)
    assert [late, early, tie] == ids(db, EVENTS, orderby="Start/DateTime desc")
    assert [ada, bob] == ids(db, CONTACTS)


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        ({"top": 2}, [1, 2]),
        ({"top": 2, "skip": 3}, [4, 5]),
        ({"skip": 4}, [5]),
        ({"top": 0}, []),
        ({"top": 10**30, "skip": 4}, [5]),
        ({"top": 2**63 - 1, "skip": 2**63 - 1}, []),
        ({"skip": 10**30}, []),
    ],
)
def test_page(db: Database, page: dict[str, int], numbers: list[int]) -> None:
    """Pages of any size and at any place."""
    for number in range(1, 6):
        insert(db, EVENTS, plain(EVENTS, start_at=number, subject=f"s{9 - number}"))

    assert numbers == ids(db, EVENTS, **page)
    assert [6 - number for number in numbers] == ids(db, EVENTS, orderby="Subject", **page)


def test_values_are_bound() -> None:
    """Nothing that a caller wrote is in the statement, and the statement is written once."""
    query = read(EVENTS, filter="Subject eq 'secret' or contains(Body,'secret') or Id eq 'secret'", orderby="Subject")
    first = statement("event", query.where, query.order, True)

    assert "secret" not in first.text
    assert first is statement("event", query.where, query.order, True)


def test_unknown_id_is_no_null(db: Database) -> None:
    """An id that nobody gave out differs from null as from everything else."""
    event = insert(db, EVENTS, plain(EVENTS))

    assert [event] == ids(db, EVENTS, filter="SeriesMasterId ne 'nonsense'")
    assert [] == ids(db, EVENTS, filter="SeriesMasterId eq 'nonsense'")
    assert [event] == ids(db, EVENTS, filter=f"Id in ('nonsense','k{event}')")


# --- Indexes ---

PLANS = [
    (CONTACTS, "Surname eq 'x'", None, "contact_surname (folder_id=? AND surname=?)"),
    (CONTACTS, "'x' eq GivenName and JobTitle eq 'y'", None, "contact_given_name (folder_id=? AND given_name=?)"),
    (CONTACTS, "CompanyName in ('x','y')", None, "contact_company_name (folder_id=? AND company_name=?)"),
    (CONTACTS, "startswith(DisplayName,'A')", None, "display_name>? AND display_name<?"),
    (CONTACTS, "startswith(FileAs,'a_b')", None, "file_as>? AND file_as<?"),
    (CONTACTS, "EmailAddresses/any(e: e/Address eq 'x')", None, "element_value (member=? AND kind=? AND value=?)"),
    (
        CONTACTS,
        "EmailAddresses/any(e:startswith(e/Address,'x'))",
        "DisplayName desc",
        "(member=? AND kind=? AND value>? AND value<?)",
    ),
    (CONTACTS, "EmailAddresses/any(e: e/Address eq 'x')", None, "contact USING INTEGER PRIMARY KEY"),
    (CONTACTS, "Categories/any(c: c eq 'x') and CompanyName eq 'y'", None, "value=?"),
    (CONTACTS, "EmailAddresses/any(e: e/Address eq FileAs)", None, "owner_id=?"),
    (CONTACTS, "Id eq 'k1'", None, "contact USING INTEGER PRIMARY KEY"),
    (EVENTS, "Start/DateTime ge 2026-01-01", None, "event_start (calendar_id=? AND start_at>?)"),
    (EVENTS, "Start ge 2026-01-01 and Start lt 2026-02-01", "Subject", "start_at>? AND start_at<?"),
    (EVENTS, "Start eq '2026-01-01'", None, "event_start (calendar_id=? AND start_at=?)"),
    (EVENTS, "Subject eq 'x'", "Start", "event_subject (calendar_id=? AND subject=?)"),
    (EVENTS, "Attendees/any(a: a/EmailAddress/Address eq 'x')", None, "(member=? AND kind=? AND value=?)"),
    (EVENTS, None, None, "event_start (calendar_id=?)"),
]


@pytest.mark.parametrize("paged", [False, True])
@pytest.mark.parametrize(("vocabulary", "filter", "orderby", "expected"), PLANS)
def test_index_is_used(
    db: Database, vocabulary: Vocabulary, filter: str | None, orderby: str | None, expected: str, paged: bool
) -> None:
    """What is often asked is looked up; no table is read from end to end."""
    query = read(vocabulary, filter=filter, orderby=orderby)
    text, values = statement(vocabulary.kind, query.where, query.order, paged)
    bound = {name: 1 if isinstance(one, Key) else one for name, one in values.items()}
    plan = db.all(f"EXPLAIN QUERY PLAN {text}", {**bound, "shelf": SHELF, "top": 1, "skip": 0})
    steps = [step for *_, step in plan]

    assert [step for step in steps if expected in step]
    assert [] == [step for step in steps if step.startswith("SCAN")]


@pytest.mark.parametrize("kind", ["event", "contact"])
def test_indexed_columns_are_indexed(db: Database, kind: str) -> None:
    """The columns that lookups count on come right after the shelf in an index."""
    shelf = filters._SHELVES[kind]
    indexes = [name for _, name, _, _, partial in db.all(f"PRAGMA index_list({kind})", {}) if not partial]
    leading = {tuple(name for _, _, name in db.all(f"PRAGMA index_info({one})", {}))[:2] for one in indexes}

    assert shelf.indexed == {column for first, column in leading if first == shelf.column}


# --- Vocabularies ---


@pytest.mark.parametrize("vocabulary", [EVENTS, CONTACTS], ids=["events", "contacts"])
def test_vocabulary_names_columns(vocabulary: Vocabulary) -> None:
    """Every member is a column, of the type that its kind asks for, and every path is folded."""
    hints = RECORDS[vocabulary.kind].__annotations__
    for path, member in vocabulary.members.items():
        textual = isinstance(member, Collection) or member.kind is Kind.TEXT
        assert ("str" if textual else "int") in str(hints[member.field])
        assert path == path.lower()
        for item, inner in member.items.items() if isinstance(member, Collection) else ():
            assert inner.field in Item._fields
            assert item == item.lower()


@pytest.mark.parametrize(
    ("vocabulary", "path", "field"),
    [
        (CONTACTS, "HomeAddress/CountryOrRegion", "home_country_or_region"),
        (CONTACTS, "BusinessAddress/PostalCode", "business_postal_code"),
        (CONTACTS, "OtherAddress/City", "other_city"),
        (CONTACTS, "BusinessHomePage", "business_home_page"),
        (CONTACTS, "BusinessPhones", "business_phones"),
        (CONTACTS, "HomePhones", "home_phones"),
        (CONTACTS, "MobilePhone1", "mobile_phone1"),
        (CONTACTS, "YomiGivenName", "yomi_given_name"),
        (EVENTS, "Organizer/EmailAddress/Address", "organizer"),
        (EVENTS, "ResponseStatus/Time", "responded"),
        (EVENTS, "End/TimeZone", "end_zone"),
    ],
)
def test_member_of_path(vocabulary: Vocabulary, path: str, field: str) -> None:
    """Where a few of the paths lead."""
    assert field == vocabulary.members[path.lower()].field


# --- Anything that can be asked ---

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "aB_", "a%", "100%", "O'Brien", "É", "é", "ß", "K", "[", "`", "\\", " a ", "日本"]
    ),
    st.text("aAbBzZ_%\\'[`{ éÉßÅK😀", max_size=4),
)
INSTANTS = st.sampled_from(
    [-62_135_596_800_000_000, -1, -1_500_001, 0, 999_999, 1_767_225_600_000_000, 1_767_225_600_123_456]
)
INSTANT_TEXTS = [
    "1970-01-01",
    "1969-12-31T23:59:59.9999990Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00.123456+01:00",
]
NUMBERS = st.integers(-2, 6)
ITEMS = st.one_of(TEXTS, st.tuples(TEXTS, st.none() | TEXTS, st.none() | NUMBERS, st.none() | NUMBERS, st.none()))
LISTS = st.lists(ITEMS, max_size=3).map(lambda items: orjson.dumps(items).decode())


def stored(vocabulary: Vocabulary) -> st.SearchStrategy[Row]:
    """Rows with anything that the vocabulary can ask for."""
    values: dict[str, st.SearchStrategy[Any]] = {SHELVES[vocabulary.kind]: st.sampled_from([SHELF] * 4 + [OTHER_SHELF])}
    ranges = {Kind.TEXT: TEXTS, Kind.NUMBER: NUMBERS, Kind.FLAG: st.integers(0, 1), Kind.INSTANT: INSTANTS}
    hints = RECORDS[vocabulary.kind].__annotations__
    for member in vocabulary.members.values():
        if isinstance(member, Collection):
            values[member.field] = LISTS
        elif member.kind is not Kind.ID:
            null = [st.none()] if "None" in str(hints[member.field]) else []
            values[member.field] = st.one_of(*null, ranges[member.kind])
    return st.fixed_dictionaries(values).map(lambda found: plain(vocabulary, **found))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


Paths = dict[str, Member]
Texts = st.SearchStrategy[str]
EQUAL = st.sampled_from(["eq", "ne"])
ORDERING = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
TEXT_LITERALS = TEXTS.map(quoted)
SPACE = st.sampled_from([" ", "  "])


def called(name: str, *arguments: Texts) -> Texts:
    return st.tuples(*arguments).map(lambda found: f"{name}({', '.join(found)})")


def compared(left: Texts, operators: Texts, right: Texts) -> Texts:
    turned = st.tuples(left, operators, right, st.booleans(), SPACE)
    return turned.map(lambda found: found[4].join(found[2::-1] if found[3] else found[:3]))


def listed(left: Texts, literals: Texts) -> Texts:
    values = st.lists(literals | st.just("null"), min_size=1, max_size=3)
    return st.tuples(left, values).map(lambda found: f"{found[0]} in ({','.join(found[1])})")


def texts(paths: Texts) -> Texts:
    return st.one_of(
        paths,
        paths,
        *(called(name, paths) for name in ("tolower", "toupper", "trim")),
        called("concat", paths, paths | TEXT_LITERALS),
        called("concat", TEXT_LITERALS, called("trim", paths)),
        called("substring", paths, st.sampled_from("012")),
        called("substring", paths, st.sampled_from("012"), st.sampled_from("012")),
    )


def about_texts(paths: Texts) -> Iterator[Texts]:
    left = texts(paths)
    right = st.one_of(TEXT_LITERALS, TEXT_LITERALS, left, st.just("null"))
    yield compared(left, ORDERING, right)
    yield listed(left, TEXT_LITERALS)
    for name in ("contains", "startswith", "endswith"):
        yield called(name, left, right)
        yield called(name, left, right).map(lambda found: f"{found} eq false")
    yield called("substringof", TEXT_LITERALS, paths)
    yield called("contains", TEXT_LITERALS, paths)
    lengths = called("length", left) | called("indexof", left, right)
    yield compared(lengths, ORDERING, st.sampled_from(["-1", "0", "1", "2.5", "null"]) | lengths)


def about_instants(paths: Texts) -> Iterator[Texts]:
    ways = ["{}", "'{}'", "datetime'{}'"]
    literals = st.tuples(st.sampled_from(ways), st.sampled_from(INSTANT_TEXTS)).map(
        lambda found: found[0].format(found[1])
    )
    yield compared(paths, ORDERING, st.one_of(literals, literals, paths, st.just("null")))
    yield listed(paths, literals)
    parts = st.one_of(*(called(name, paths) for name in ("year", "month", "day", "hour", "minute", "second")))
    yield compared(parts, ORDERING, st.sampled_from(["0", "1", "31", "59", "1970", "2026", "null"]) | parts)


def about_numbers(paths: Texts) -> Iterator[Texts]:
    literals = NUMBERS.map(str) | st.sampled_from(["0.5", "2.0", "1e0"])
    yield compared(paths, ORDERING, st.one_of(literals, literals, paths, st.just("null")))
    yield listed(paths, literals)


def about_names(path: str, member: Member) -> Iterator[Texts]:
    assert member.names is not None
    literals = st.sampled_from([quoted(name) for name in member.names.__members__]) | NUMBERS.map(str)
    yield compared(st.just(path), ORDERING, literals | st.just("null"))
    yield listed(st.just(path), literals)


def about_flags(paths: Texts) -> Iterator[Texts]:
    yield paths
    yield compared(paths, EQUAL, st.sampled_from(["true", "false", "null"]) | paths)


def about_ids(paths: Texts) -> Iterator[Texts]:
    literals = st.sampled_from(["'k1'", "'k2'", "'k5'", "'nonsense'"])
    yield compared(paths, EQUAL, st.one_of(literals, literals, paths, st.just("null")))
    yield listed(paths, literals)


ABOUT = {
    Kind.TEXT: about_texts,
    Kind.INSTANT: about_instants,
    Kind.NUMBER: about_numbers,
    Kind.FLAG: about_flags,
    Kind.ID: about_ids,
}


def conditions(members: Paths, lambdas: Texts | None = None) -> Texts:
    """Conditions on these members, nested a little."""
    leaves: list[Texts] = []
    for kind, about in ABOUT.items():
        paths = [path for path, member in members.items() if member.kind is kind and member.names is None]
        if paths:
            leaves.append(st.one_of(*about(st.sampled_from(paths))))
    for path, member in members.items():
        if member.names is not None:
            leaves.extend(about_names(path, member))
    if lambdas is not None:
        leaves += [lambdas, lambdas]

    def nested(inner: Texts) -> Texts:
        pairs = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
        negated = st.tuples(st.sampled_from(["not ({})", "not({})", "({})", "({}) eq false"]), inner)
        return st.one_of(pairs, negated.map(lambda found: found[0].format(found[1])))

    return st.recursive(st.one_of(leaves), nested, max_leaves=4)


def single(vocabulary: Vocabulary) -> Paths:
    return {path: one for path, one in vocabulary.members.items() if isinstance(one, Member)}


def over(path: str, collection: Collection, variable: str, outer: Paths, inner: Texts | None) -> Texts:
    """Conditions on the elements of a list, which may look further out."""
    own = {f"{variable}/{name}".rstrip("/"): member for name, member in collection.items.items()}
    bodies = st.one_of(conditions(own), conditions({**own, **outer}, inner))
    said = st.tuples(st.just(path), st.sampled_from(["any", "all"]), bodies)
    return st.one_of(
        said.map(lambda found: f"{found[0]}/{found[1]}({variable}: {found[2]})"),
        st.just(f"{path}/any()"),
    )


def questions(vocabulary: Vocabulary) -> Texts:
    """Filters from the whole grammar."""
    lists = {path: one for path, one in vocabulary.members.items() if isinstance(one, Collection)}
    few = dict(list(single(vocabulary).items())[:12])
    inner = st.one_of([over(path, one, "b", {}, None) for path, one in lists.items()])
    lambdas = st.one_of([over(path, one, "a", few, inner) for path, one in lists.items()])
    return conditions(single(vocabulary), lambdas)


def orders(vocabulary: Vocabulary) -> Texts:
    terms = st.tuples(st.sampled_from(sorted(single(vocabulary))), st.sampled_from(["", " asc", " desc"])).map("".join)
    return st.lists(terms, max_size=3).map(", ".join)


PAGES = st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 4))


@pytest.mark.parametrize("vocabulary", [EVENTS, CONTACTS], ids=["events", "contacts"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_sql_and_python_agree(vocabulary: Vocabulary, data: st.DataObject) -> None:
    """Whatever is stored and whatever is asked, both find the same records in the same order."""
    db = Database()
    for row in data.draw(st.lists(stored(vocabulary), max_size=8)):
        insert(db, vocabulary, row)
    asked = st.lists(st.tuples(questions(vocabulary), orders(vocabulary), PAGES), min_size=1, max_size=5)
    everything = standing(db, vocabulary)
    for filter, orderby, (top, skip) in data.draw(asked):
        query = read(vocabulary, filter=filter, orderby=orderby, top=top, skip=skip)
        expected = [tuple(one) for one in apply(query, everything, key_of)]
        assert expected == rows(db, vocabulary, SHELF, query, key_of)
    db.close()


def standing(db: Database, vocabulary: Vocabulary) -> list[Any]:
    """All that stands on the shelf, in the usual order."""
    record = RECORDS[vocabulary.kind]
    found = map(record._make, db.all(f"SELECT {', '.join(record._fields)} FROM {vocabulary.kind}", {}))
    shelf = [one for one in found if getattr(one, SHELVES[vocabulary.kind]) == SHELF]
    return sorted(shelf, key=USUAL_ORDER[vocabulary.kind])


FRAGMENTS: Mapping[str, list[str]] = {
    "words": ["Subject", "Start/DateTime", "IsAllDay", "ShowAs", "Id", "Attendees", "Categories", "a", "a/Type", "/"],
    "operators": [
        " eq ",
        " ne ",
        " lt ",
        " and ",
        " or ",
        "not ",
        "not(",
        " in ",
        " add ",
        "-",
        "(",
        ")",
        ",",
        ":",
        "=",
    ],
    "functions": ["contains(", "substring(", "year(", "/any(", "/all(", "any", "all", "a:", "length(", "concat("],
    "literals": ["'x'", "''", "'", "5", "1.5e400", "true", "null", "2026-01-01", "'2026-13-01'", "datetime'x'"],
}
JUMBLE = st.lists(st.sampled_from(sum(FRAGMENTS.values(), [])), max_size=14).map("".join)


@settings(max_examples=500, deadline=None)
@given(text=st.one_of(st.text(max_size=60), JUMBLE, JUMBLE), orderby=st.one_of(st.text(max_size=20), JUMBLE))
def test_any_text_is_read_or_refused(text: str, orderby: str) -> None:
    """No text whatever breaks the reader, and what it reads can be run."""
    for question in ({"filter": text}, {"orderby": orderby}):
        try:
            query = read(EVENTS, **question)  # type: ignore[arg-type]
        except InvalidRequest as error:
            assert f"${next(iter(question))}" in error.message
        else:
            check_runs(query)


EMPTY = Database()


def check_runs(query: Query) -> None:
    assert [] == rows(EMPTY, EVENTS, SHELF, query, key_of)
    sample = records.Event(id=1, **plain(EVENTS, attendees='[["a@example.com"]]', categories='["x"]'))
    assert apply(query, [sample], key_of) in ([], [sample])


@pytest.mark.parametrize(
    "filter",
    [
        " or ".join(["true"] * 1000),
        " and ".join(["Subject eq 'x'"] * 400),
        " or ".join(["Subject eq 'x'"] * 400),
        " or ".join(["Attendees/any(a:a/Type eq 1)"] * 240),
        "not " * 48 + "IsAllDay",
        "Subject in (" + ",".join(["'a'"] * 1900) + ")",
        f"contains(Subject,'{'%' * 7000}')",
        f"contains(Subject,'{'日' * 7000}')",
    ],
    ids=lambda filter: filter[:20],
)
def test_largest_filters_fit_the_database(filter: str) -> None:
    """What is long enough to be read is not too long, too deep or too wide for SQLite."""
    check_runs(read(EVENTS, filter=filter))
