"""The filters of the journal, each declared once.

The admin API's parameters and JSON, the flags of `journal`, the keywords in tests and a table in the documents derive
from the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping

from outlook_emulator.options import option, options_of
from outlook_emulator.traffic.fault_plan import FaultMatch
from outlook_emulator.traffic.journal import EntryKind

MOST = 1000
"""The greatest number of entries in a response."""


class JournalFilter(FaultMatch, kw_only=True):
    """Which entries to find. An entry must match every filter.

    Texts other than `kind`, `connection`, `operation`, `family` and `method`, and the values of `query` and `body`, are
    patterns: `*` stands for any text, and case does not matter. Dots in a name of `body` lead into objects and lists. A
    body that the journal has cut matches nothing. With `after`, only later entries are searched. `limit` is the number
    of entries to return: those that follow `after`, or else the newest.
    """

    kind: EntryKind | None = option(None, "only entries of this kind")
    status: tuple[int, ...] | None = option(None, "only responses with this status", least=100, most=599)
    effected: bool | None = option(None, "only requests whose operation did its work, or only those where it did not")
    outcome: str | None = option(None, "only requests whose response left in this way, such as answered or reset")
    cause: str | None = option(
        None, "only responses with a cause of this kind, name or reason, such as the name of a fault rule"
    )
    workflow_name: str | None = option(None, "only requests of the workflow with this name", metavar="NAME")
    workflow_run: str | None = option(None, "only requests of this workflow run", metavar="ID")
    workflow_operation: str | None = option(None, "only requests of this action of a workflow", metavar="NAME")
    client_request_id: str | None = option(None, "only requests with this x-ms-client-request-id", metavar="ID")
    # The flag --url selects the server, in every command.
    url: str | None = option(None, "only callbacks to this URL", flag="callback-url", metavar="URL")
    purpose: str | None = option(None, "only callbacks with this purpose, such as poke")
    reference: str | None = option(None, "only callbacks caused by the item or subscription with this id")
    after: int | None = option(None, "only entries after the entry with this id", least=0, metavar="ID")
    limit: int = option(MOST, "at most this number of entries", least=1, most=MOST, metavar="N")


_OF_ALL = frozenset({"kind", "status", "after", "limit"})
_OF_BOTH = _OF_ALL | {"body"}
_OF_DELIVERIES = frozenset({"url", "purpose", "reference"})
_OF_EXCHANGES = frozenset(option.name for option in options_of(JournalFilter)) - _OF_BOTH - _OF_DELIVERIES
APPLICABLE: Mapping[EntryKind, frozenset[str]] = {
    "exchange": _OF_BOTH | _OF_EXCHANGES,
    "delivery": _OF_BOTH | _OF_DELIVERIES,
    "import": _OF_ALL | {"connection"},
}
"""The filters that apply to each kind of entry."""
