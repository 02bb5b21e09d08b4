"""The pages about the journal: the list, one entry, and what clients retried."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from outlook_emulator.errors import ConnectorError, NotFound
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.options import options_of
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.journal import shapes
from outlook_emulator.server.journal.entries import WORKFLOW, clean, entry_json
from outlook_emulator.server.journal.paths import path_of
from outlook_emulator.server.journal.queries import JournalQuery, call_facts
from outlook_emulator.server.schemas import parse_query
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.web import journal_copies
from outlook_emulator.server.web.forms import read_number
from outlook_emulator.server.web.journal_chains import chain_of, chains_of
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.traffic.journal import Entry, ExchangeEntry, ImportEntry
from outlook_emulator.traffic.journal_filter import JournalFilter
from outlook_emulator.wire.base import parameters_of

_PAGE = 50
_SEARCHED = 4000
"""How many entries one page of a filtered list searches."""
_CHAINS = 100
_MOST_FILES = 2000
_FILTERS = tuple(
    option.member for option in options_of(JournalFilter) if option.name not in ("limit", "after", "query", "body")
)
"""The filters that the address of the list may hold, by the names of the admin API."""


async def load(request: PageRequest) -> dict[str, Any]:
    journal, problem, near = request.sandbox.traffic.journal, "", []
    before = _number(request.query.get("before", ""))
    filters = {name: text for name in _FILTERS if (text := request.query.get(name, "").strip())}
    # Only what is shown, or a bounded number of entries to search, is read, however long the journal is.
    searched = journal.newest(_SEARCHED if filters else _PAGE + 1, before)
    entries: list[Entry] = searched
    matching = journal.total - journal.dropped
    if filters:
        try:
            result = await in_slices(JournalQuery(_read(request, filters)).find(reversed(searched)))
        except ConnectorError as error:
            entries, matching, problem = [], 0, error.original
        else:
            entries, matching = result.entries[::-1], result.total
            near = [(_row(entry), differs) for entry, differs in result.near] if not entries else []
    shown = entries[:_PAGE]
    last = shown[-1] if len(entries) > _PAGE else searched[-1] if len(searched) == _SEARCHED else None
    retried = {id for chain in chains_of(_exchanges(reversed(shown))) if chain.duplicated for id in chain.ids}
    return {
        "rows": [_row(entry, retried) for entry in shown],
        "matching": matching,
        "total": journal.total,
        "dropped": journal.dropped,
        "cap": journal.cap,
        "filters": filters,
        "problem": problem,
        "near": near,
        "searched": len(searched) if filters and last is not None else 0,
        "older": "" if last is None else request.url(request.page.path, **filters, before=last.id),
        "newer": request.url(request.page.path, **filters) if before is not None else "",
        "connections": list(request.sandbox.connections()),
        "operations": [operation.id for operation in OPERATIONS],
    }


def _read(request: PageRequest, filters: dict[str, str]) -> JournalFilter:
    """The filters, checked as the admin API does. Raises InvalidRequest."""
    query = urlencode({**filters, "limit": _PAGE + 1}).encode()
    values = QueryReader(parameters_of(shapes.JournalFilter)).read(query, request.http.headers.get)
    return parse_query(JournalFilter, values)


def _exchanges(entries: Iterable[Entry]) -> list[ExchangeEntry]:
    return [entry for entry in entries if isinstance(entry, ExchangeEntry)]


def _row(entry: Entry, retried: Set[int] = frozenset()) -> dict[str, Any]:
    """An entry as a line of the list; bodies and headers are left out."""
    row = {
        "id": entry.id,
        "kind": entry.kind,
        "at": entry.at,
        "status": entry.status,
        "is_twice": entry.id in retried,
        "workflow": None,
        "run": None,
        "took": None,
    }
    if isinstance(entry, ImportEntry):
        what = f"import into {entry.place}: {entry.imported} imported, {entry.skipped} left out"
        reasons = [("skipped", "", clean(reason)) for reason in entry.reasons[:1]]
        return row | {"what": what, "outcome": None, "causes": reasons, "connection": entry.connection}
    if not isinstance(entry, ExchangeEntry):
        causes = [("error", clean(entry.error), "")] if entry.error else []
        outcome = "lost" if entry.status is None else None
        what = f"callback {entry.purpose} to {entry.url}"
        return row | {"what": what, "outcome": outcome, "causes": causes, "connection": ""}
    return row | {
        "what": entry.operation or f"{entry.method} {clean(path_of(entry))}",
        "connection": entry.connection,
        "outcome": entry.outcome,
        "took": entry.took / 1_000_000,
        "causes": [(cause.kind, cause.name, clean(cause.reason)) for cause in entry.causes],
        "workflow": clean(entry.header(WORKFLOW["name"]) or ""),
        "run": clean(entry.header(WORKFLOW["runId"]) or ""),
        "effected": entry.effected,
    }


def _entry(request: PageRequest) -> Entry:
    id = _number(request.path["entry"])
    entry = None if id is None else request.sandbox.traffic.journal.entry(id)
    if entry is None:
        raise NotFound(f"The journal has no entry {request.path['entry'][:20]}. It keeps a limited number of them.")
    return entry


def load_entry(request: PageRequest) -> dict[str, Any]:
    entry = _entry(request)
    facts: Any = orjson.loads(orjson.dumps(entry_json(entry)))
    values = {
        "entry": facts,
        "title": f"Entry {entry.id}",
        "older": _neighbour(request, entry.id - 1),
        "newer": _neighbour(request, entry.id + 1),
    }
    if not isinstance(entry, ExchangeEntry):
        return values | {"is_exchange": False}
    journal = request.sandbox.traffic.journal
    return values | {
        "is_exchange": True,
        "chain": chain_of(entry, _exchanges(journal.around(entry.id, _SEARCHED))),
        "misses": [
            {"name": rule.name, "differs": differs}
            for rule in request.sandbox.traffic.faults.rules()
            if (differs := list(rule.match.differs(call_facts(entry))))
            and not any(cause.kind == "fault" and cause.name == rule.name for cause in entry.causes)
        ],
        "curl": journal_copies.curl(facts, request.server_url),
        "test": journal_copies.pytest_test(facts),
    }


def _neighbour(request: PageRequest, id: int) -> str:
    is_kept = request.sandbox.traffic.journal.entry(id) is not None
    return request.url("/s/{sandbox}/journal/{entry}", entry=id) if is_kept else ""


def entry_har(request: PageRequest) -> Response:
    entry = _entry(request)
    if not isinstance(entry, ExchangeEntry):
        raise NotFound("Only requests to the connector have a HAR file.")
    return _har(request, [entry], f"{request.sandbox.name}-{entry.id}")


def journal_har(request: PageRequest) -> Response:
    exchanges = _exchanges(reversed(request.sandbox.traffic.journal.newest(_MOST_FILES)))
    return _har(request, exchanges, request.sandbox.name)


def _har(request: PageRequest, entries: list[ExchangeEntry], name: str) -> Response:
    har = journal_copies.har([orjson.loads(orjson.dumps(entry_json(entry))) for entry in entries], request.server_url)
    headers = {"content-disposition": f'attachment; filename="{name}.har"'}
    return Response(orjson.dumps(har), 200, headers, "application/json")


def load_retries(request: PageRequest) -> dict[str, Any]:
    exchanges = _exchanges(reversed(request.sandbox.traffic.journal.newest(_MOST_FILES)))
    chains = chains_of(exchanges)[::-1]
    return {
        "chains": chains[:_CHAINS],
        "more": max(len(chains) - _CHAINS, 0),
        "duplicated": sum(chain.duplicated for chain in chains),
    }


async def clear(request: PageRequest) -> None:
    await request.admin("ClearJournal")


async def cap(request: PageRequest) -> None:
    await request.admin("CapJournal", {"cap": read_number(request.form.text("cap"))})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


PAGES = (
    Page(
        path="/s/{sandbox}/journal",
        title="Journal",
        template="journal.html",
        nav="Journal",
        load=load,
        actions={"clear": clear, "cap": cap},
    ),
    Page(path="/s/{sandbox}/journal.har", load=journal_har),
    Page(path="/s/{sandbox}/retries", title="Retries", template="retries.html", section="Journal", load=load_retries),
    Page(path="/s/{sandbox}/journal/{entry}.har", load=entry_har),
    Page(
        path="/s/{sandbox}/journal/{entry}",
        title="Entry",
        template="journal_entry.html",
        section="Journal",
        load=load_entry,
    ),
)
