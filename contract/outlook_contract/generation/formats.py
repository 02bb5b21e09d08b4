"""Values for what a JSON schema cannot describe: OData expressions, search texts and instants."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies as st

_EVENTS = "events"
_CONTACTS = "contacts"
_TEXTS = {_EVENTS: ("Subject", "Location"), _CONTACTS: ("GivenName", "Surname", "CompanyName", "DisplayName")}
_TIMES = {_EVENTS: ("Start/DateTime", "End/DateTime"), _CONTACTS: ()}
_ZONES = ("UTC", "Pacific Standard Time", "W. Europe Standard Time", "India Standard Time")
_WORD = st.text(st.characters(codec="utf-8", categories=("L", "Nd")), min_size=1, max_size=8)
_INSTANT = st.datetimes(datetime(1700, 1, 1), datetime(4400, 1, 1))


def format_of(grammar: str, path: str) -> str:
    """The name of the format that stands for a grammar in an operation with this path."""
    if not grammar.startswith("odata-"):
        return grammar
    return f"{grammar}-{_CONTACTS if '/contacts/' in path else _EVENTS}"


def register() -> None:
    """Make the formats known to schemathesis."""
    for name, strategy in strategies().items():
        schemathesis.openapi.format(name, strategy)


def strategies() -> dict[str, st.SearchStrategy[str]]:
    """The values of each format, by its name."""
    return {
        **{f"odata-filter-{kind}": _filters(kind) for kind in (_EVENTS, _CONTACTS)},
        **{f"odata-orderby-{kind}": _orders(kind) for kind in (_EVENTS, _CONTACTS)},
        "kql": _searches(),
        "time-zone": st.sampled_from(_ZONES),
        "iso-8601": _instants() | _INSTANT.map(lambda when: when.date().isoformat()),
        "date-time": _instants(),
        "address": st.builds("{}@example.com".format, _WORD),
        "addresses": _addresses(),
        "base64": st.binary(max_size=20).map(lambda content: b64encode(content).decode()),
        "item-id": st.binary(min_size=96, max_size=96).map(_id),
        "options": st.lists(_WORD, min_size=1, max_size=3).map(", ".join),
        "url": st.just("https://example.com/callback"),
    }


def _id(content: bytes) -> str:
    """What reads like the id of an item."""
    return f"AQMkADAwAT{urlsafe_b64encode(content).decode()[:-1]}AA="


def _addresses() -> st.SearchStrategy[str]:
    host = st.sampled_from(("example.com", "example.net", "mail.example.org"))
    address = st.builds("{}@{}".format, _WORD, host)
    named = st.builds("{} <{}>".format, _WORD, address)
    lists = st.lists(address | named, min_size=1, max_size=3)
    return st.builds("{}{}".format, lists.map("; ".join) | lists.map(";".join), st.sampled_from(("", ";")))


def _instants() -> st.SearchStrategy[str]:
    offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    zoned = st.builds(lambda when, zone: when.replace(tzinfo=zone).isoformat(), _INSTANT, offsets | st.just(UTC))
    return zoned | _INSTANT.map(lambda when: when.replace(microsecond=0).isoformat() + "Z")


def _filters(kind: str) -> st.SearchStrategy[str]:
    text = st.sampled_from(_TEXTS[kind])
    word = _WORD.map(lambda word: "'" + word + "'")
    comparisons = st.builds("{} {} {}".format, text, st.sampled_from(("eq", "ne", "gt", "le")), word)
    functions = st.builds("{}({},{})".format, st.sampled_from(("contains", "startswith", "endswith")), text, word)
    conditions = comparisons | functions
    if times := _TIMES[kind]:
        instant = _INSTANT.map(lambda when: "'" + when.replace(microsecond=0).isoformat() + "'")
        conditions |= st.builds("{} {} {}".format, st.sampled_from(times), st.sampled_from(("ge", "lt")), instant)
    return st.recursive(
        conditions,
        lambda inner: (
            st.builds("({}) {} ({})".format, inner, st.sampled_from(("and", "or")), inner)
            | inner.map("not ({})".format)
        ),
        max_leaves=4,
    )


def _orders(kind: str) -> st.SearchStrategy[str]:
    terms = st.builds("{}{}".format, st.sampled_from(_TEXTS[kind]), st.sampled_from(("", " asc", " desc")))
    return st.lists(terms, min_size=1, max_size=2).map(",".join)


def _searches() -> st.SearchStrategy[str]:
    named = st.builds("{}:{}".format, st.sampled_from(("subject", "from", "body")), _WORD)
    return st.lists(_WORD | named, min_size=1, max_size=3).map(" ".join)
