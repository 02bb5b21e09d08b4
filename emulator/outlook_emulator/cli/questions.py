"""The command `question`: the mails that wait for an answer, and answering one."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text


def add(commands: Any) -> None:
    actions = asking.group(commands, "question", "list and answer the mails that wait for an answer")
    asking.action(actions, "list", "list the mails that wait, or waited, for an answer", list_all)
    answer = asking.action(actions, "answer", "answer a mail that waits, as a click in it does", choose)
    answer.add_argument("id", help="the question's id")
    answer.add_argument("option", help="the option, as the question spells it")


def list_all(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "questions"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _COLUMNS))


def choose(given: argparse.Namespace) -> int:
    path = asking.within(given, "questions", given.id, "answer")
    answer = asking.ask(given, "POST", path, {"option": given.option})
    return asking.tell(given, answer, lambda made: [f"{text.cell(made['subject'])}: {_state(made)}"])


def _state(question: text.Row) -> str:
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
