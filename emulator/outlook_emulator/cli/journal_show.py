"""`journal show`: one exchange or callback with its headers and bodies, or one import with what it left out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

from outlook_emulator.cli import output, request


def show(arguments: argparse.Namespace) -> int:
    """Print the entry with the id `arguments.value`; returns the exit code."""
    id = int(arguments.value)
    query = request.query({"after": str(id - 1), "limit": "1"})
    status, body = response = request.send(arguments, "GET", request.sandbox_path(arguments, "journal") + query)
    if status != 200:
        return output.print_error(arguments, response)
    entry = next((entry for entry in json.loads(body)["value"] if entry["id"] == id), None)
    if entry is None:
        return output.fail(f"the journal has no entry {id}")
    return output.print_response(arguments, (status, json.dumps(entry, ensure_ascii=False).encode()), _lines)


def _lines(entry: Any) -> Iterator[str]:
    return _FORMS[entry["kind"]](entry)


def _exchange(entry: Any) -> Iterator[str]:
    query = f"?{entry['query']}" if entry["query"] else ""
    yield from output.fields(
        {
            "At": entry["at"],
            "Connection": entry["connection"],
            "Operation": entry["operation"],
            "Took": f"{entry['tookMilliseconds']} ms",
            "Effected": entry["effected"],
            "Outcome": entry["outcome"],
        }
        | {f"Cause {n}": " ".join(cause.values()) for n, cause in enumerate(entry["causes"], 1)}
    )
    yield ""
    yield output.printable(f"{entry['method']} {entry['path']}{query}")
    yield from _message(entry["request"])
    yield ""
    yield f"Status {entry['status']}"
    yield from _message(entry["response"])


def _delivery(entry: Any) -> Iterator[str]:
    yield from output.fields({"At": entry["at"], "Purpose": entry["purpose"], "Attempt": entry["number"]})
    yield ""
    yield output.printable(f"POST {entry['url']}")
    yield ""
    yield from _body(entry["body"])
    yield ""
    yield output.printable(f"Status {entry['status']}" if entry["error"] is None else f"Failed: {entry['error']}")


def _import(entry: Any) -> Iterator[str]:
    names = {"At": "at", "Connection": "connection", "Place": "place", "Status": "status", "Imported": "imported"}
    yield from output.fields({name: entry[member] for name, member in names.items()} | {"Left out": entry["skipped"]})
    yield from map(output.printable, entry["reasons"])


_FORMS: dict[str, Callable[[Any], Iterator[str]]] = {"exchange": _exchange, "delivery": _delivery, "import": _import}


def _message(message: Any) -> Iterator[str]:
    for name, value in message["headers"].items():
        yield output.printable(f"{name}: {value}")
    if message["body"] is not None:
        yield ""
        yield from _body(message["body"])
    if message["truncated"]:
        yield f"(cut; the whole body has {message['size']} bytes)"


def _body(body: Any) -> Iterator[str]:
    return output.plain_lines(body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False))
