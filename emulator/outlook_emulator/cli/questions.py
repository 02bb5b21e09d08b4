"""The command `question`: the mails that wait for an answer, and answering one."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import output, parsers, request


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "question", "list and answer the mails that wait for an answer")
    parsers.add_command(actions, "list", "list the mails that wait, or waited, for an answer", list_all)
    answer = parsers.add_command(actions, "answer", "answer a mail that waits, as a click in it does", choose)
    answer.add_argument("id", help="the question's id")
    answer.add_argument("option", help="the option, as the question spells it")


def list_all(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "questions"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _COLUMNS))


def choose(arguments: argparse.Namespace) -> int:
    path = request.sandbox_path(arguments, "questions", arguments.id, "answer")
    answer = request.send(arguments, "POST", path, {"option": arguments.option})
    return output.print_response(arguments, answer, lambda made: [f"{output.cell(made['subject'])}: {_state(made)}"])


def _state(question: output.Row) -> str:
    if question["answer"] is not None:
        return f"answered {question['answer']}"
    return "withdrawn" if question["withdrawn"] else "open"


_COLUMNS: dict[str, Any] = {
    "ID": "id",
    "KIND": "kind",
    "FROM": "from",
    "TO": "to",
    "SUBJECT": "subject",
    "OPTIONS": "options",
    "STATE": _state,
}
