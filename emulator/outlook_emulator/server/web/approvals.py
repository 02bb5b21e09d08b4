"""The page of the mails that wait for an answer, and their buttons on other pages."""

from __future__ import annotations

import re
from typing import Any

from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.approvals import answer_links, questions
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.approvals import question_facts
from outlook_emulator.server.admin.shapes import QuestionFacts
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.store import approvals as approval_store

_TOP = 50
_STATES = ("open", "answered", "withdrawn")
_LINK = re.compile(rf"{re.escape(questions.ANSWER_PATH)}\?state=([\w.-]+)")


def load(request: PageRequest) -> dict[str, Any]:
    db = request.sandbox.db
    wanted = request.query.get("state", "")
    facts = [question_facts(db, question) for question in reversed(questions.all_questions(db))]
    listed = [fact for fact in facts if wanted not in _STATES or state_of(fact) == wanted]
    skip = min(int(text), len(listed)) if (text := request.query.get("skip", "0")).isdecimal() and len(text) < 9 else 0
    here, state = request.page.path, wanted or None
    return {
        "questions": [(fact, state_of(fact)) for fact in listed[skip : skip + _TOP]],
        "counts": [(state, sum(state_of(fact) == state for fact in facts)) for state in _STATES],
        "chosen": wanted if wanted in _STATES else "",
        "newer": request.url(here, state=state, skip=max(skip - _TOP, 0) or None) if skip else "",
        "older": request.url(here, state=state, skip=skip + _TOP) if skip + _TOP < len(listed) else "",
    }


async def answer(request: PageRequest) -> None:
    """Choose an option, as a click on its link in the mail does."""
    await request.admin(
        "AnswerQuestion", {"option": request.form.raw("option")}, question=request.form.text("question")
    )


async def ask(request: PageRequest) -> str:
    """Send an approval mail as a workflow does."""
    form = request.form
    connection = form.text("connection")
    if connection not in request.sandbox.connections():
        raise InvalidField("connection", f"must be a mailbox of this sandbox, not '{connection[:130]}'.")
    body = {
        "NotificationUrl": form.text("NotificationUrl"),
        "Message": form.filled("To", "Subject", "Options", "Body"),
    }
    await request.submit("POST", "/approvalmail/$subscriptions", body, connection=connection)
    return request.url(request.page.path)


def question_in(sandbox: Sandbox, body: str) -> QuestionFacts | None:
    """The question that a mail of this sandbox asks, known by the links in its body."""
    for match in _LINK.finditer(body):
        try:
            link = answer_links.read(match[1])
        except InvalidField:
            continue
        question = approval_store.question(sandbox.db, link.question) if link.sandbox == sandbox.name else None
        if question is not None:
            return question_facts(sandbox.db, question)
    return None


def state_of(question: QuestionFacts) -> str:
    """Whether a question is open, answered, which it stays when it is withdrawn later, or withdrawn."""
    if question["answer"] is not None:
        return "answered"
    return "withdrawn" if question["withdrawn"] else "open"


PAGES = (
    Page(
        path="/s/{sandbox}/approvals",
        title="Approvals",
        template="approvals.html",
        nav="Approvals",
        load=load,
        actions={"answer": answer, "ask": ask},
    ),
)
