"""Changes of single values in JSON texts, and how to take them back from a text that was edited since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from outlook_emulator.logic_apps import json_edit


class ValueEdit(NamedTuple):
    """A changed value: the member names that lead to it, its JSON before (None: it was missing), and its JSON after."""

    path: tuple[str, ...]
    before: str | None
    after: str


def merged(earlier: Iterable[ValueEdit], later: Iterable[ValueEdit]) -> list[ValueEdit]:
    """The edits of two changes in a row, in order; a value that both changed keeps its first original."""
    edits = {edit.path: edit for edit in earlier}
    for edit in later:
        known = edits.get(edit.path)
        edits[edit.path] = edit if known is None else known._replace(after=edit.after)
    return list(edits.values())


class Reverted(NamedTuple):
    """A text without the edits that could be taken back, and the edits that could not."""

    text: str
    reverted: list[ValueEdit]
    kept: list[ValueEdit]


def revert(text: str, edits: Sequence[ValueEdit]) -> Reverted:
    """Take edits back, the last one first, except of values that were edited since. Raises ValueError if not JSON."""
    reverted: list[ValueEdit] = []
    kept: list[ValueEdit] = []
    for edit in reversed(edits):
        root = json_edit.parse(text)
        value, owner = root.at(edit.path), root.at(edit.path[:-1])
        if value is None or owner is None or not json_edit.same(text, value, edit.after):
            # A value that is gone, or is what it was before, needs nothing.
            is_back = edit.before is None if value is None else json_edit.same(text, value, edit.before or "")
            (reverted if is_back else kept).insert(0, edit)
            continue
        if edit.before is None:
            text = json_edit.without_member(text, owner, edit.path[-1])
        else:
            text = json_edit.replaced(text, value, edit.before)
        reverted.insert(0, edit)
    return Reverted(text, reverted, kept)
