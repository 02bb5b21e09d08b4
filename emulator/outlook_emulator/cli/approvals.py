"""The command `question`: list and answer approval mails and mails with options."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import output, parsers, request


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "question", "list and answer approval mails and mails with options")
    parsers.add_command(actions, "list", "list approval mails and mails with options, open or not", list_questions)
    answer = parsers.add_command(actions, "answer", "choose an option, as a click in the mail does", answer_question)
    answer.add_argument("id", help="id of the question, as `question list` shows it")
    answer.add_argument("option", help="the option, spelled as in the question")


def list_questions(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "GET", request.sandbox_path(arguments, "questions"))
    return output.print_response(arguments, response, lambda questions: output.table(questions["value"], _COLUMNS))


def answer_question(arguments: argparse.Namespace) -> int:
    path = request.sandbox_path(arguments, "questions", arguments.id, "answer")
    response = request.send(arguments, "POST", path, {"option": arguments.option})
    return output.print_response(
        arguments, response, lambda question: [f"{output.cell(question['subject'])}: {_state(question)}"]
    )


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
