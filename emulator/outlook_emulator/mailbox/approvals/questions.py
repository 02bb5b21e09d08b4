"""Mails that wait for an answer: asked, answered once by a click, or withdrawn."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import orjson

from outlook_emulator.enums import CallbackKind, QuestionKind
from outlook_emulator.errors import Conflict, InvalidRecipients, InvalidRequest, NotFound
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.approvals import answer_links
from outlook_emulator.mailbox.approvals.answer_links import State
from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest, compose
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Question

_LONGEST_OPTION = 255
ANSWER_PATH = "/apim/outlook/RecordResponse"
_KEY = "answer_key"


class Outcome(Enum):
    """What came of a click: a page that asks once more, an answer, or nothing as it came too late."""

    ASKS = "asks"
    RECORDED = "recorded"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class ApprovalAnswer(NamedTuple):
    """An option that somebody chose, and what came of it; `query` is the link's, for a page that asks once more."""

    question: Question
    option: str
    outcome: Outcome
    query: str = ""
    by_card: bool = False


def ask(mailbox: Mailbox, request: ApprovalRequest) -> Question:
    """Send a mail whose recipients are to choose, and wait for the answer.

    Raises InvalidRequest for options that are none or too many and for a callback URL that is none or not allowed,
    and what sending raises.
    """
    _check(mailbox, request)
    token = str(UUID(int=mailbox.rng.getrandbits(128), version=4))
    values = {
        "mailbox_id": mailbox.owner.id,
        "token": token,
        "kind": request.kind,
        "recipients": addresses.join(request.mail.to),
        "subject": request.mail.subject,
        "options": orjson.dumps(request.options).decode(),
        "callback_url": request.callback_url,
        "created": mailbox.now,
    }
    with mailbox.db.transaction():
        mailbox.db.execute(sql.INSERT_QUESTION, values)
        body = compose(request, _links(mailbox, token, request.options))
        mail = replace(request.mail, body=body, is_html=True)
        delivery.post(mailbox, mail, "Send", mailbox.rng.getrandbits(62))
    return find(mailbox.db, token)


def withdraw_approval(mailbox: Mailbox, *, id: str) -> None:
    """Wait no longer for the answer to an approval mail. Raises NotFound, also where that was done before."""
    _withdraw(mailbox, id, QuestionKind.APPROVAL)


def withdraw_options(mailbox: Mailbox, *, id: str) -> None:
    """Wait no longer for the answer to a mail with options. Raises NotFound, also where that was done before."""
    _withdraw(mailbox, id, QuestionKind.OPTIONS)


def follow(mailbox: Mailbox, *, state: str, sig: str | None = None, show_confirm: bool = False) -> ApprovalAnswer:
    """Somebody followed a link: that is the answer, unless a page is to ask first. Raises as `_named` does."""
    question, option = _named(mailbox, state, sig)
    if show_confirm and question.answer is None and not question.withdrawn:
        return ApprovalAnswer(question, option, Outcome.ASKS, f"state={state}&sig={sig}")
    return _chosen(mailbox, question, option)


def submit(mailbox: Mailbox, *, state: str, sig: str | None = None, from_confirm: bool = False) -> ApprovalAnswer:
    """Somebody confirmed, or pressed a button of the card. Raises as `_named` does."""
    question, option = _named(mailbox, state, sig)
    return _chosen(mailbox, question, option)._replace(by_card=not from_confirm)


def choose(mailbox: Mailbox, question: Question, option: str) -> Question:
    """Answer a question of this mailbox as a click would; the question as it is then.

    Raises InvalidRequest for an option it does not have, Conflict when it waits for no answer anymore.
    """
    options = options_of(question)
    if option not in options:
        raise InvalidRequest(f"The property 'option' must be one of {', '.join(options)[:500]}, not '{option[:100]}'.")
    click = _chosen(mailbox, question, option)
    if click.outcome is Outcome.WITHDRAWN:
        raise Conflict(f"The question '{question.token}' was withdrawn.")
    if click.outcome is Outcome.ANSWERED:
        raise Conflict(f"The question '{question.token}' was answered already: {question.answer}.")
    return click.question


def find(db: Database, token: str) -> Question:
    """The question with that id, whoever asked it. Raises NotFound."""
    row = db.one(sql.QUESTION, {"token": token})
    if row is None:
        raise NotFound()
    return Question._make(row)


def every(db: Database) -> list[Question]:
    """All questions of a sandbox, oldest first, those that were answered or withdrawn included."""
    return [Question._make(row) for row in db.all(sql.QUESTIONS, {})]


def options_of(question: Question) -> list[str]:
    """What there was to choose from."""
    found: list[str] = orjson.loads(question.options)
    return found


def _check(mailbox: Mailbox, request: ApprovalRequest) -> None:
    count, most = len(request.options), mailbox.rules.max_options
    if not count:
        raise InvalidRequest("The property 'Message.Options' must name at least one option.")
    if most and count > most:
        raise InvalidRequest(f"The property 'Message.Options' names {count} options; at most {most} are allowed.")
    for option in request.options:
        if len(option) > _LONGEST_OPTION or not "".join(option.split()).isprintable():
            raise InvalidRequest(
                f"An option in 'Message.Options' has at most {_LONGEST_OPTION} printable characters, unlike"
                f" '{option[:50]!r}'."
            )
    callbacks.check_url(request.callback_url, "NotificationUrl", mailbox.rules.allowed_hosts)
    if not request.mail.to:
        raise InvalidRecipients("To")
    delivery.check_size(mailbox, request.mail)


def _links(mailbox: Mailbox, token: str, options: tuple[str, ...]) -> dict[str, str]:
    """The address behind each option; to be called inside a transaction."""
    start, key = f"{_origin(mailbox)}{ANSWER_PATH}?", _ensure_key(mailbox)
    place = mailbox.rules.sandbox, mailbox.owner.id, token
    return {one: start + answer_links.query_of(key, State(*place, index)) for index, one in enumerate(options)}


def _origin(mailbox: Mailbox) -> str:
    """The URL at which recipients reach this server: the setting, or else the one that the caller used."""
    return mailbox.rules.public_url.rstrip("/") or mailbox.caller.base_url


def _key(mailbox: Mailbox) -> bytes | None:
    row = mailbox.db.one(sql.STATE, {"key": _KEY})
    return bytes.fromhex(row[0]) if row else None


def _ensure_key(mailbox: Mailbox) -> bytes:
    key = _key(mailbox)
    if key is None:
        key = mailbox.rng.randbytes(32)
        mailbox.db.execute(sql.SET_STATE, {"key": _KEY, "value": key.hex()})
    return key


def _named(mailbox: Mailbox, state: str, sig: str | None) -> tuple[Question, str]:
    """The question and the option behind a link.

    Raises InvalidRequest for an unreadable link, BadSignature, and NotFound for one from before a reset.
    """
    named = answer_links.read(state)
    answer_links.check(_key(mailbox), state, sig)
    question = find(mailbox.db, named.question)
    options = options_of(question)
    if question.mailbox_id != mailbox.owner.id or named.option >= len(options):
        raise NotFound()
    return question, options[named.option]


def _chosen(mailbox: Mailbox, question: Question, option: str) -> ApprovalAnswer:
    """Take an option as the answer, if it is the first one, and tell whoever asked."""
    if question.answer is not None:
        return ApprovalAnswer(question, option, Outcome.ANSWERED)
    if question.withdrawn:
        return ApprovalAnswer(question, option, Outcome.WITHDRAWN)
    with mailbox.db.transaction():
        values = {"question_id": question.id, "answer": option, "answered": mailbox.now}
        mailbox.db.execute(sql.ANSWER_QUESTION, values)
        callbacks.enqueue(
            mailbox,
            question.callback_url,
            orjson.dumps({"SelectedOption": option}),
            kind=CallbackKind.ANSWER,
            headers={"Content-Type": "application/json"},
            reference=question.token,
        )
    return ApprovalAnswer(question._replace(answer=option, answered=mailbox.now), option, Outcome.RECORDED)


def _withdraw(mailbox: Mailbox, token: str, kind: QuestionKind) -> None:
    question = find(mailbox.db, token)
    if (question.mailbox_id, question.kind, question.withdrawn) != (mailbox.owner.id, kind, 0):
        raise NotFound()
    with mailbox.db.transaction():
        mailbox.db.execute(sql.WITHDRAW_QUESTION, {"question_id": question.id})
