"""OData queries as SQL: the same results as in Python for any query, and lookups by index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata import Collection, Kind, Member, Query, Vocabulary, apply, read
from outlook_emulator.odata.tree import Item, Key, folded
from outlook_emulator.store import filters, records, sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.filters import find, statement
from outlook_emulator.wire.filter_properties import CONTACTS, EVENTS

Row = dict[str, Any]

FOLDER, OTHER_FOLDER = 1, 2
RECORDS: dict[str, Any] = {"event": records.Event, "contact": records.Contact}
INSERTS = {"event": sql.INSERT_EVENT, "contact": sql.INSERT_CONTACT}
FOLDER_COLUMNS = {"event": "calendar_id", "contact": "folder_id"}
NEWEST_FIRST = {"event": lambda event: (-event.start_at, -event.id)}
TIES = {
    "event": lambda event: (event.start_at, event.id),
    "contact": lambda contact: (folded(contact.display_name), contact.id),
}


def key_of(text: str) -> int | None:
    """A simplified wire id: `k7` is 7."""
    return int(text[1:]) if text.startswith("k") else None


def collections_of(vocabulary: Vocabulary) -> set[str]:
    return {member.field for member in vocabulary.members.values() if isinstance(member, Collection)}


def plain(vocabulary: Vocabulary, **values: Any) -> Row:
    """A row of empty values except for `values`."""
    hints = RECORDS[vocabulary.kind].__annotations__
    row = {name: None if "None" in str(hint) else (0 if "int" in str(hint) else "") for name, hint in hints.items()}
    del row["id"]
    row |= dict.fromkeys(collections_of(vocabulary), "[]")
    return {**row, "mailbox_id": 1, FOLDER_COLUMNS[vocabulary.kind]: FOLDER, **values}


def insert(db: Database, vocabulary: Vocabulary, row: Row) -> int:
    """Store a row and the entries of its lists."""
    columns = RECORDS[vocabulary.kind]._fields[1:]
    owner = db.insert(INSERTS[vocabulary.kind], [row[column] for column in columns])
    for member in collections_of(vocabulary):
        for entry in orjson.loads(row[member]):
            item = Item(entry) if isinstance(entry, str) else Item(*entry[:4])
            list_entry = {"kind": vocabulary.kind, "owner_id": owner, "member": member, **item._asdict()}
            db.insert(sql.INSERT_LIST_ENTRY, list_entry)
    return owner


def ids(db: Database, vocabulary: Vocabulary, **question: Any) -> list[int]:
    return [row[0] for row in find(db, vocabulary, FOLDER, read(vocabulary, **question), key_of)]


@pytest.fixture
def db() -> Iterator[Database]:
    database = Database()
    yield database
    database.close()


# --- Simple cases ---


def test_rows_are_records(db: Database) -> None:
    """A result row has the fields of its record, in order."""
    row = plain(CONTACTS, display_name="Ada", surname="Lovelace", birthday=-5)
    owner = insert(db, CONTACTS, row)

    (contact,) = find(db, CONTACTS, FOLDER, read(CONTACTS, filter="startswith(surname,'love')"), key_of)

    assert {**row, "id": owner} == records.Contact._make(contact)._asdict()


def test_only_the_item_folder_is_searched(db: Database) -> None:
    """Events of other calendars and exceptions of a series are left out."""
    master = insert(db, EVENTS, plain(EVENTS, subject="x"))
    insert(db, EVENTS, plain(EVENTS, subject="x", master_id=master, original_start=1))
    insert(db, EVENTS, plain(EVENTS, subject="x", calendar_id=OTHER_FOLDER))

    assert [master] == ids(db, EVENTS) == ids(db, EVENTS, filter="Subject eq 'X'", top=9)


def test_list_entries_belong_to_their_kind(db: Database) -> None:
    """An event and a contact with the same id have separate list entries."""
    contact = insert(db, CONTACTS, plain(CONTACTS, categories='["Blue"]'))
    event = insert(db, EVENTS, plain(EVENTS, categories='["Red"]'))

    assert contact == event
    assert [] == ids(db, EVENTS, filter="Categories/any(c: c eq 'Blue')")
    assert [contact] == ids(db, CONTACTS, filter="Categories/any(c: c eq 'BLUE')")


def test_default_order(db: Database) -> None:
    """Events are ordered by start, newest first, and contacts by display name.

    Of events at the same time the last created is first, but in a stated order the first created.
    """
    early, late, tie = (insert(db, EVENTS, plain(EVENTS, start_at=start)) for start in (5, 9, 5))
    bob, ada = (insert(db, CONTACTS, plain(CONTACTS, display_name=name)) for name in ("bob", "Ada"))

    assert [late, tie, early] == ids(db, EVENTS)
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
    """Paging works with any `top` and `skip`."""
    for number in range(1, 6):
        insert(db, EVENTS, plain(EVENTS, start_at=number, subject=f"s{9 - number}"))

    assert numbers == ids(db, EVENTS, orderby="Start", **page)
    assert [6 - number for number in numbers] == ids(db, EVENTS, **page)
    assert [6 - number for number in numbers] == ids(db, EVENTS, orderby="Subject", **page)


def test_values_are_bound() -> None:
    """Values from the caller are bound parameters, and the statement is cached."""
    query = read(EVENTS, filter="Subject eq 'secret' or contains(Body,'secret') or Id eq 'secret'", orderby="Subject")
    first = statement("event", query.where, query.order, True)

    assert "secret" not in first.text
    assert first is statement("event", query.where, query.order, True)


def test_unknown_id_is_not_null(db: Database) -> None:
    """An unknown id is unequal to every value, null included."""
    event = insert(db, EVENTS, plain(EVENTS))

    assert [event] == ids(db, EVENTS, filter="SeriesMasterId ne 'nonsense'")
    assert [] == ids(db, EVENTS, filter="SeriesMasterId eq 'nonsense'")
    assert [event] == ids(db, EVENTS, filter=f"Id in ('nonsense','k{event}')")


def test_text_ignores_case(db: Database) -> None:
    """Text comparison ignores case, also for case-sensitive columns and for results of functions."""
    upper, lower, other = (insert(db, EVENTS, plain(EVENTS, uid=uid)) for uid in ("B", "a", "C"))

    assert [lower, upper, other] == ids(db, EVENTS, orderby="ICalUId")
    assert [lower] == ids(db, EVENTS, filter="ICalUId eq 'A'")
    assert [upper] == ids(db, EVENTS, filter="trim(ICalUId) eq 'b'")


def test_parts_of_instants_before_1970(db: Database) -> None:
    """The parts of an instant before 1970 round down to the second that contains it."""
    contact = insert(db, CONTACTS, plain(CONTACTS, birthday=-1))

    assert [contact] == ids(db, CONTACTS, filter="year(Birthday) eq 1969 and second(Birthday) eq 59")
    assert [contact] == ids(db, CONTACTS, filter="month(Birthday) eq 12 and day(Birthday) eq 31")


# --- Indexes ---

PLANS = [
    (CONTACTS, "Surname eq 'x'", None, "contact_surname (folder_id=? AND surname=?)"),
    (CONTACTS, "'x' eq GivenName and JobTitle eq 'y'", None, "contact_given_name (folder_id=? AND given_name=?)"),
    (CONTACTS, "CompanyName in ('x','y')", None, "contact_company_name (folder_id=? AND company_name=?)"),
    (CONTACTS, "startswith(DisplayName,'A')", None, "display_name>? AND display_name<?"),
    (CONTACTS, "startswith(FileAs,'a_b')", None, "file_as>? AND file_as<?"),
    (CONTACTS, "EmailAddresses/any(e: e/Address eq 'x')", None, "list_entry_value (member=? AND kind=? AND value=?)"),
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
    """Common queries use an index, and no table is scanned."""
    query = read(vocabulary, filter=filter, orderby=orderby)
    text, values = statement(vocabulary.kind, query.where, query.order, paged)
    bound = {name: 1 if isinstance(value, Key) else value for name, value in values.items()}
    plan = db.all(f"EXPLAIN QUERY PLAN {text}", {**bound, "folder": FOLDER, "top": 1, "skip": 0})
    steps = [step for *_, step in plan]

    assert [step for step in steps if expected in step]
    assert [] == [step for step in steps if step.startswith("SCAN")]


@pytest.mark.parametrize("vocabulary", [EVENTS, CONTACTS], ids=["events", "contacts"])
def test_default_order_needs_no_sort(db: Database, vocabulary: Vocabulary) -> None:
    """A list without a stated order is read in the order of an index, backwards for events."""
    text, _ = statement(vocabulary.kind, None, (), False)
    plan = db.all(f"EXPLAIN QUERY PLAN {text}", {"folder": FOLDER})

    assert not [step for *_, step in plan if "TEMP B-TREE" in step]


@pytest.mark.parametrize("kind", ["event", "contact"])
def test_indexed_columns_are_indexed(db: Database, kind: str) -> None:
    """The columns declared as indexed come right after the folder in an index."""
    folder = filters._FOLDERS[kind]
    indexes = [name for _, name, _, _, partial in db.all(f"PRAGMA index_list({kind})", {}) if not partial]
    leading = {tuple(name for _, _, name in db.all(f"PRAGMA index_info({index})", {}))[:2] for index in indexes}

    assert folder.indexed == {column for first, column in leading if first == folder.column}


# --- Vocabularies ---


@pytest.mark.parametrize("vocabulary", [EVENTS, CONTACTS], ids=["events", "contacts"])
def test_vocabulary_names_columns(vocabulary: Vocabulary) -> None:
    """Every member of a vocabulary is a column of the right type, and every path is in lower case."""
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
    """These paths map to these columns."""
    assert field == vocabulary.members[path.lower()].field


# --- Random queries ---

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "aB_", "a%", "100%", "O'Brien", "É", "é", "ß", "K", "[", "`", "\\", " a ", "日本"]
    ),
    st.text("aAbBzZ_%\\'[`{ éÉßÅK😀", max_size=4),
)
INSTANTS = st.sampled_from(
    [-62_135_596_800_000_000, -1, -1_500_001, 0, 999_999, 1_767_225_600_000_000, 1_767_225_600_123_456]
)
NUMBERS = st.integers(-2, 6)
ITEMS = st.one_of(TEXTS, st.tuples(TEXTS, st.none() | TEXTS, st.none() | NUMBERS, st.none() | NUMBERS, st.none()))
LISTS = st.lists(ITEMS, max_size=3).map(lambda items: orjson.dumps(items).decode())


def stored(vocabulary: Vocabulary) -> st.SearchStrategy[Row]:
    """Rows with random values for all members of a vocabulary."""
    values: dict[str, st.SearchStrategy[Any]] = {
        FOLDER_COLUMNS[vocabulary.kind]: st.sampled_from([FOLDER] * 4 + [OTHER_FOLDER])
    }
    ranges = {Kind.TEXT: TEXTS, Kind.NUMBER: NUMBERS, Kind.FLAG: st.integers(0, 1), Kind.INSTANT: INSTANTS}
    hints = RECORDS[vocabulary.kind].__annotations__
    for member in vocabulary.members.values():
        if isinstance(member, Collection):
            values[member.field] = LISTS
        elif member.kind is not Kind.ID:
            null = [st.none()] if "None" in str(hints[member.field]) else []
            values[member.field] = st.one_of(*null, ranges[member.kind])
    return st.fixed_dictionaries(values).map(lambda drawn: plain(vocabulary, **drawn))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


Paths = Mapping[str, Member]
EQUAL = ("eq", "ne")
ORDERING = (*EQUAL, "gt", "ge", "lt", "le")
PARTS = ("year", "month", "day", "hour", "minute", "second")
INSTANT_TEXTS = (
    "1970-01-01",
    "1969-12-31T23:59:59.9999990Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00.123456+01:00",
)
PLAIN: dict[Kind, tuple[str, ...]] = {
    Kind.NUMBER: ("-1", "0", "1", "2", "5", "0.5", "2.0", "31", "59", "1970", "2026"),
    Kind.FLAG: ("true", "false"),
    Kind.INSTANT: tuple(way.format(text) for way in ("{}", "'{}'", "datetime'{}'") for text in INSTANT_TEXTS),
    Kind.ID: ("'k1'", "'k2'", "'k5'", "'nonsense'"),
}


class Generator:
    """Generates random filters from the whole grammar."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], vocabulary: Vocabulary) -> None:
        self._draw = draw
        self._lists = {path: member for path, member in vocabulary.members.items() if isinstance(member, Collection)}

    def pick(self, *options: str) -> str:
        chosen: str = self._draw(st.sampled_from(options))
        return chosen

    def condition(self, members: Paths, depth: int = 3, variables: str = "ab") -> str:
        """A condition on these members, and on lists with the remaining variables."""
        shape = self.pick("leaf", "leaf", *["list"] * bool(variables), *["not", "and", "or"] * bool(depth))
        if shape == "leaf":
            return self._leaf(members)
        if shape == "list":
            return self._list(members, variables)
        inner = self.condition(members, depth - 1, variables)
        if shape == "not":
            return self.pick("not ({})", "not({})", "({})", "({}) eq false").format(inner)
        return f"{inner} {shape} {self.condition(members, depth - 1, variables)}"

    def _list(self, members: Paths, variables: str) -> str:
        path = self.pick(*self._lists)
        variable, rest = variables[0], variables[1:]
        items = self._lists[path].items.items()
        own = {f"{variable}/{name}".rstrip("/"): member for name, member in items}
        said = self.pick("any", "all", "some")
        if said == "some":
            return f"{path}/any()"
        # Half of the conditions use members of the list entry only, and the others use all members.
        within = self._draw(st.booleans())
        body = self.condition(own, 1, "") if within else self.condition({**members, **own}, 1, "".join(rest))
        return f"{path}/{said}({variable}: {body})"

    def _leaf(self, members: Paths) -> str:
        path = self.pick(*{member.names or member.kind: path for path, member in members.items()}.values())
        kind, names = members[path].kind, members[path].names
        alike = [other for other, member in members.items() if member.kind is kind and member.names is names]
        left = path
        if kind is Kind.TEXT:
            left = self._text(alike)
            if self._draw(st.booleans()):
                return self._about_text(left, alike)
        if kind is Kind.INSTANT and self._draw(st.booleans()):
            left, kind, alike = f"{self.pick(*PARTS)}({path})", Kind.NUMBER, []
        if kind is Kind.FLAG and self._draw(st.booleans()):
            return path
        if self._draw(st.booleans()):
            values = [self._literal(kind, names) for _ in range(self._draw(st.integers(1, 3)))]
            return f"{left} in ({','.join(values)})"
        operator = self.pick(*(EQUAL if kind in (Kind.ID, Kind.FLAG) else ORDERING))
        right = self.pick(self._literal(kind, names), self._literal(kind, names), *alike)
        sides = (left, right) if self._draw(st.booleans()) else (right, left)
        return self.pick(" ", "  ").join((sides[0], operator, sides[1]))

    def _literal(self, kind: Kind, names: Any = None) -> str:
        if kind is Kind.TEXT:
            return self.pick("null", *[quoted(self._draw(TEXTS))] * 4)
        return self.pick("null", *PLAIN[kind], *map(quoted, names.__members__ if names else ()))

    def _text(self, paths: Sequence[str]) -> str:
        path, other = self.pick(*paths), self.pick(self._literal(Kind.TEXT), *paths)
        shapes = ("tolower({0})", "toupper({0})", "trim({0})", "concat({0},{1})", "concat({1},trim({0}))")
        cuts = ("substring({0}, 0)", "substring({0},1)", "substring({0},1,1)", "substring({0},0,2)")
        return self.pick("{0}", "{0}", "{0}", *shapes, *cuts).format(path, other)

    def _about_text(self, left: str, paths: Sequence[str]) -> str:
        right = self.pick(self._literal(Kind.TEXT), self._literal(Kind.TEXT), *paths)
        number, operator = self.pick("-1", "0", "1", "2.5", "null", f"length({right})"), self.pick(*ORDERING)
        return self.pick(
            *(f"{name}({left},{right})" for name in ("contains", "startswith", "endswith")),
            f"substringof({right}, {left})",
            f"contains({right},{left}) eq true",
            f"startswith({left}, {right}) ne true",
            f"length({left}) {operator} {number}",
            f"{number} {operator} indexof({left},{right})",
        )


def single(vocabulary: Vocabulary) -> Paths:
    return {path: member for path, member in vocabulary.members.items() if isinstance(member, Member)}


@st.composite
def focused(draw: Callable[[st.SearchStrategy[Any]], Any], vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary with all its lists, but at most two other members of each kind, so that matches are likely."""
    kinds: dict[Any, list[str]] = {}
    for path, member in single(vocabulary).items():
        kinds.setdefault(member.names or member.kind, []).append(path)
    chosen = {path for paths in kinds.values() for path in draw(st.permutations(paths))[:2]}
    lists = {path for path, member in vocabulary.members.items() if isinstance(member, Collection)}
    return Vocabulary(vocabulary.kind, {path: vocabulary.members[path] for path in sorted(chosen | lists)})


@st.composite
def queries(draw: Callable[[st.SearchStrategy[Any]], Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """Random arguments of `read`."""
    asker, paths = Generator(draw, vocabulary), single(vocabulary)
    terms = [asker.pick(*paths) + asker.pick("", " asc", " desc") for _ in range(draw(st.integers(0, 3)))]
    top, skip = draw(st.none() | st.integers(0, 4)), draw(st.none() | st.integers(0, 4))
    return {"filter": asker.condition(paths), "orderby": ", ".join(terms), "top": top, "skip": skip}


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [EVENTS, CONTACTS], ids=["events", "contacts"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sql_and_python_agree(vocabulary: Vocabulary, data: st.DataObject) -> None:
    """For any rows and any query, SQL and Python return the same records in the same order."""
    db = Database()
    vocabulary = data.draw(focused(vocabulary))
    for row in data.draw(st.lists(stored(vocabulary), max_size=8)):
        insert(db, vocabulary, row)
    for question in data.draw(st.lists(queries(vocabulary), min_size=1, max_size=12)):
        query = read(vocabulary, **question)
        everything = ordered_records(db, vocabulary, bool(query.order))
        expected = [tuple(row) for row in apply(query, everything, key_of)]
        assert expected == find(db, vocabulary, FOLDER, query, key_of)
    db.close()


def ordered_records(db: Database, vocabulary: Vocabulary, is_stated: bool) -> list[Any]:
    """The records of the folder, in the default order, or in the one that completes a stated order."""
    record = RECORDS[vocabulary.kind]
    rows = map(record._make, db.all(f"SELECT {', '.join(record._fields)} FROM {vocabulary.kind}", {}))
    in_folder = [row for row in rows if getattr(row, FOLDER_COLUMNS[vocabulary.kind]) == FOLDER]
    return sorted(in_folder, key=(TIES if is_stated else TIES | NEWEST_FIRST)[vocabulary.kind])


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
JUMBLE = st.lists(st.sampled_from([word for words in FRAGMENTS.values() for word in words]), max_size=14).map("".join)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(text=st.one_of(st.text(max_size=60), JUMBLE, JUMBLE), orderby=st.one_of(st.text(max_size=20), JUMBLE))
def test_any_text_is_parsed_or_rejected(text: str, orderby: str) -> None:
    """Any text is either rejected or parsed to a query that runs."""
    for name, given_text in (("filter", text), ("orderby", orderby)):
        query = None
        with suppress(InvalidRequest):
            query = read(EVENTS, **{name: given_text})  # type: ignore[arg-type]
        if query is not None:
            check_runs(query)


EMPTY = Database()


def check_runs(query: Query) -> None:
    assert [] == find(EMPTY, EVENTS, FOLDER, query, key_of)
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
def test_largest_filters_fit_sqlite(filter: str) -> None:
    """SQLite accepts the longest, deepest and widest filters that the parser accepts."""
    check_runs(read(EVENTS, filter=filter))
