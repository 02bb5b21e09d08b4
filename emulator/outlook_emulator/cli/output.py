"""What the commands print: responses of the admin API as tables, fields and single values, and error messages."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

Row = Mapping[str, Any]
Render = Callable[[Any], Iterable[str]]
"""Turns the JSON of a response into lines of text."""


def print_response(arguments: argparse.Namespace, response: tuple[int, bytes], render: Render) -> int:
    """Print a response as text, or as JSON with `--json`; returns the exit code."""
    status, body = response
    if not 200 <= status < 300:
        return print_error(arguments, response)
    if arguments.json:
        print(body.decode(errors="replace"), end="\n" if body else "")
        return 0
    try:
        # All lines before the first is printed, so that an unknown format prints none of them.
        lines = list(render(json.loads(body) if body else None))
    # Another program may listen at the URL, or another version of the emulator.
    except (LookupError, TypeError, ValueError, AttributeError):
        return fail(f"the response of {arguments.url} has an unknown format; --json prints it")
    for line in lines:
        print(line)
    return 0


def print_import(arguments: argparse.Namespace, response: tuple[int, bytes], render: Render) -> int:
    """Print the response to an import, and on standard error what was left out; returns the exit code."""
    code = print_response(arguments, response, render)
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        for part in json.loads(response[1]).get("skipped", ()):
            line = "" if part["line"] is None else f", line {part['line']}"
            print(f"left out {printable(part['item'])}{line}: {printable(part['reason'])}", file=sys.stderr)
    return code


def print_error(arguments: argparse.Namespace, response: tuple[int, bytes]) -> int:
    """Print why a request failed, with the message of the emulator if there is one; returns the exit code."""
    status, body = response
    reason = body.decode(errors="replace")
    if status == 0:
        return fail(f"no response from {arguments.url}: {reason}")
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        error = json.loads(reason)
        reason = error["message"].partition("\r\n")[0]
        # Only this text says which folder, mailbox or id is meant.
        reason = error["error"]["originalMessage"]
    return fail(reason or f"{arguments.url} responded with status {status}")


def fail(reason: str) -> int:
    """Print an error message on one line; returns the exit code."""
    print(f"outlook-emulator: {cell(' '.join(reason.split()))}", file=sys.stderr)
    return 1


def table(rows: Iterable[Row], columns: Mapping[str, str | Callable[[Row], Any]]) -> Iterator[str]:
    """A line of headings and a line for each row; a column is a member's name or a function of the row."""
    lines = [list(columns)]
    for row in rows:
        values = (row.get(column) if isinstance(column, str) else column(row) for column in columns.values())
        lines.append([cell(value) for value in values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip()


def fields(values: Row) -> Iterator[str]:
    """A line for each name and its value."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        yield f"{name:{width}}  {cell(value)}"


def cell(value: Any) -> str:
    """A value on one line."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        value = ", ".join(map(str, value))
    elif not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return printable(value)


def plain_lines(text: str) -> Iterator[str]:
    """The lines of a text, without control characters."""
    for line in text.splitlines():
        yield printable(line)


def printable(text: str) -> str:
    """A text on one line, with a blank for each control character: texts of mails could steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def count(number: int, noun: str) -> str:
    """A number with its noun in singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
