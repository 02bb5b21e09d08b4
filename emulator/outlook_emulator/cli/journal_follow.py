"""`journal --follow`: print each request to a sandbox as it ends."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from outlook_emulator.cli import output, request, request_log
from outlook_emulator.traffic.journal import UNDER_WAY, Cause
from outlook_emulator.traffic.request_log import Line, callback_line, cause_texts, import_line, status_text

_PAUSE = 0.25
"""Seconds between two looks at the journal."""
_FIRST = 10
"""The number of older entries to begin with."""
_OVERLAP = 20
"""The number of entries to look at again: a filter may hide an entry that has not ended yet."""


def follow(arguments: argparse.Namespace, filters: Mapping[str, Any]) -> int:
    """Print entries until Ctrl+C; returns the exit code."""
    with suppress(KeyboardInterrupt):
        return _follow(arguments, dict(filters))
    return 0


def _follow(arguments: argparse.Namespace, filters: dict[str, Any]) -> int:
    path = request.sandbox_path(arguments, "journal")
    if filters["after"] is None and filters["limit"] is None:
        filters["limit"] = _FIRST
    printed: set[int] = set()
    first = 0
    while True:
        response = request.send(arguments, "GET", path + request.query(filters))
        if response[0] != 200:
            return output.print_error(arguments, response)
        page = json.loads(response[1])["value"]
        if page and len(page) == filters["limit"]:
            # Older entries exist, which the user did not ask for.
            first = page[0]["id"]
        entries = [entry for entry in page if entry["id"] >= first and entry["id"] not in printed]
        ended = [entry for entry in entries if entry.get("outcome") != UNDER_WAY]
        for text in _texts(arguments, ended):
            print(text, flush=True)
        printed.update(entry["id"] for entry in ended)
        waiting = [entry["id"] - 1 for entry in entries if entry not in ended]
        newest = max((entry["id"] for entry in entries), default=0)
        filters |= {"limit": None, "after": max(filters["after"] or 0, min([newest - _OVERLAP, *waiting]))}
        printed = {id for id in printed if id > filters["after"]}
        time.sleep(_PAUSE)


def _texts(arguments: argparse.Namespace, entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if arguments.json:
            yield json.dumps(entry, ensure_ascii=False)
        else:
            yield f"{entry['at'][11:19]}  {_line(entry).text(coloured=request_log.has_colours(sys.stdout))}"


def _line(entry: dict[str, Any]) -> Line:
    if entry["kind"] == "delivery":
        return callback_line(entry["url"], entry["status"], entry["error"])
    if entry["kind"] == "import":
        return import_line(entry["connection"], entry["place"], entry["status"], entry["reasons"])
    causes = cause_texts(Cause(cause["kind"], cause["name"], cause["reason"]) for cause in entry["causes"])
    what = entry["operation"] or f"{entry['method']} {entry['path']}"
    status = status_text(entry["status"], entry["outcome"])
    return Line(status, entry["tookMilliseconds"], entry["connection"] or "", what, causes)
