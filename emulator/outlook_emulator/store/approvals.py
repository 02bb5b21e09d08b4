"""Approval mails and mails with options: mails that wait for an answer, called questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Question


def insert_question(db: Database, values: Mapping[str, Any]) -> None:
    """Add a question without an answer; `values` holds the columns of `Question` that describe it."""
    db.execute(sql.INSERT_QUESTION, values)


def question(db: Database, token: str) -> Question | None:
    """The question with that token."""
    row = db.one(sql.QUESTION, {"token": token})
    return None if row is None else Question._make(row)


def questions(db: Database) -> list[Question]:
    """All questions, oldest first."""
    return [Question._make(row) for row in db.all(sql.QUESTIONS, {})]


def record_answer(db: Database, key: int, option: str, at: int) -> None:
    """Record the answer to a question."""
    db.execute(sql.ANSWER_QUESTION, {"question_id": key, "answer": option, "answered": at})


def withdraw_question(db: Database, key: int) -> None:
    """Mark a question as withdrawn."""
    db.execute(sql.WITHDRAW_QUESTION, {"question_id": key})
