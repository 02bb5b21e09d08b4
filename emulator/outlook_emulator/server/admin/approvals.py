"""The admin operations that list and answer approval mails and mails with options."""

from __future__ import annotations

from outlook_emulator.clock import iso_seconds
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.approvals import questions
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Question
from outlook_emulator.wire.approvals_convert import selected


def list_questions(request: AdminRequest) -> shapes.QuestionList:
    db = request.sandbox.db
    return {"value": [question_facts(db, question) for question in questions.all_questions(db)]}


def answer_question(request: AdminRequest) -> shapes.QuestionFacts:
    sandbox = request.sandbox
    question = questions.find(sandbox.db, request.path["question"])
    mailbox = sandbox.mailbox(owner_of(sandbox.db, question.mailbox_id))
    return question_facts(sandbox.db, questions.choose(mailbox, question, request.body["option"], selected))


def question_facts(db: Database, question: Question) -> shapes.QuestionFacts:
    """A question as JSON."""
    return {
        "id": question.token,
        "kind": question.kind,
        "from": owner_of(db, question.mailbox_id).address,
        "to": addresses.split(question.recipients),
        "subject": question.subject,
        "options": questions.options_of(question),
        "askedAt": iso_seconds(question.created),
        "answer": question.answer,
        "answeredAt": None if question.answered is None else iso_seconds(question.answered),
        "answeredBy": _answerer(question),
        "withdrawn": question.withdrawn == 1,
    }


def _answerer(question: Question) -> str | None:
    # All recipients get the same links, so the answerer is only known if there is a single recipient.
    recipients = addresses.split(question.recipients)
    return recipients[0] if question.answer is not None and len(recipients) == 1 else None


_S = "/sandboxes/{sandbox}"

ROWS = (
    AdminOperation(
        id="ListQuestions",
        method="GET",
        path=f"{_S}/questions",
        summary="List approval mails and mails with options, open or not",
        handler=list_questions,
        returns=shapes.QuestionList,
    ),
    AdminOperation(
        id="AnswerQuestion",
        method="POST",
        path=f"{_S}/questions/{{question}}/answer",
        summary="Choose an option of an open mail, as a click on its link does",
        handler=answer_question,
        accepts=shapes.GivenAnswer,
        returns=shapes.QuestionFacts,
    ),
)
