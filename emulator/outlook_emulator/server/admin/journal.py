"""The admin operations that list, query, count, cap and clear the journal of a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.journal import shapes
from outlook_emulator.server.journal.entries import entry_json, retry_json
from outlook_emulator.server.journal.queries import JournalQuery
from outlook_emulator.server.schemas import parse, parse_query
from outlook_emulator.server.slices import in_slices
from outlook_emulator.slices import Sliced
from outlook_emulator.traffic import retry_report
from outlook_emulator.traffic.journal import Entry, Journal
from outlook_emulator.traffic.journal_filter import JournalFilter


async def list_entries(request: AdminRequest) -> shapes.JournalPage:
    journal = _journal(request)
    result = await in_slices(JournalQuery(parse_query(JournalFilter, request.query)).find(journal.entries()))
    return {
        "value": await in_slices(_rendered(result.entries)),
        "total": journal.total,
        "dropped": journal.dropped,
    }


async def query_journal(request: AdminRequest) -> shapes.JournalMatches:
    result = await in_slices(JournalQuery(parse(JournalFilter, request.body)).find(_journal(request).entries()))
    return {
        "value": await in_slices(_rendered(result.entries)),
        "count": result.total,
        "nearMisses": [{**entry_json(entry), "differs": differs} for entry, differs in result.near],
    }


def _rendered(entries: Iterable[Entry]) -> Sliced[list[Any]]:
    rendered = []
    for entry in entries:
        # Secrets are looked for in every body, which takes long for large ones. As JSON text, so that it is only copied
        # when the whole response is written.
        rendered.append(orjson.Fragment(orjson.dumps(entry_json(entry))))
        yield None
    return rendered


def count_entries(request: AdminRequest) -> shapes.JournalCounts:
    journal = _journal(request)
    return {
        "exchanges": journal.operations.total(),
        "deliveries": journal.deliveries,
        "imports": journal.imports,
        "byOperation": {name or "(none)": count for name, count in journal.operations.items()},
        "byStatus": {str(status): count for status, count in journal.statuses.items()},
        "byCause": {f"{kind} {name}": count for (kind, name), count in journal.causes.items()},
    }


def report_retries(request: AdminRequest) -> shapes.RetryReport:
    rows = retry_report.report(_journal(request).exchanges())
    duplicated = {row.attempts for row in rows if row.duplicated}
    return {"value": [retry_json(row) for row in rows], "duplicatedSends": len(duplicated)}


def cap_journal(request: AdminRequest) -> shapes.JournalFacts:
    journal, caps = _journal(request), request.body
    if "cap" in caps:
        journal.keep(caps["cap"])
    journal.body_bytes = caps.get("bodyBytes", journal.body_bytes)
    return {"cap": journal.cap, "bodyBytes": journal.body_bytes}


def clear_journal(request: AdminRequest) -> None:
    _journal(request).clear()


def _journal(request: AdminRequest) -> Journal:
    return request.sandbox.traffic.journal


_JOURNAL = "/sandboxes/{sandbox}/journal"

ROWS = (
    AdminOperation(
        id="ListJournal",
        method="GET",
        path=_JOURNAL,
        summary="List the requests to a sandbox and its callbacks",
        handler=list_entries,
        query=shapes.JournalFilter,
        returns=shapes.JournalPage,
    ),
    AdminOperation(
        id="CapJournal",
        method="PATCH",
        path=_JOURNAL,
        summary="Set how much the journal keeps",
        handler=cap_journal,
        accepts=shapes.JournalCaps,
        returns=shapes.JournalFacts,
    ),
    AdminOperation(
        id="ClearJournal",
        method="DELETE",
        path=_JOURNAL,
        summary="Clear the journal",
        handler=clear_journal,
        status=204,
    ),
    AdminOperation(
        id="QueryJournal",
        method="POST",
        path=f"{_JOURNAL}/query",
        summary="Find and count entries, and list the nearest misses",
        handler=query_journal,
        accepts=shapes.JournalQuery,
        returns=shapes.JournalMatches,
    ),
    AdminOperation(
        id="CountJournal",
        method="GET",
        path=f"{_JOURNAL}/counts",
        summary="Count exchanges and deliveries, by operation, status and cause",
        handler=count_entries,
        returns=shapes.JournalCounts,
    ),
    AdminOperation(
        id="ReportRetries",
        method="GET",
        path=f"{_JOURNAL}/retries",
        summary="Report for each failed request when its client retried, and whether something was created twice",
        handler=report_retries,
        returns=shapes.RetryReport,
    ),
)
