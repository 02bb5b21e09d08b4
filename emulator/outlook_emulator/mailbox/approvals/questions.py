"""Questions: mails that wait for an answer, which are answered once or withdrawn."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import orjson

from outlook_emulator.enums import CallbackKind, QuestionKind
from outlook_emulator.errors import Conflict, InvalidField, InvalidRecipients, NotFound
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.approvals import answer_links
from outlook_emulator.mailbox.approvals.answer_links import LinkState
from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest, compose
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.store import approvals as approval_store
from outlook_emulator.store import sandbox_state
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Question

ContentOf = Callable[[str], callbacks.Content]
"""Makes the callback that reports an option."""

_LONGEST_OPTION = 255
ANSWER_PATH = "/apim/outlook/RecordResponse"
_KEY = "answer_key"
_KEY_BYTES = 32


class Outcome(Enum):
    """The result of following a link: a page that asks for confirmation, an answer, or nothing because it is late."""

    CONFIRM = "confirm"
    RECORDED = "recorded"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class ApprovalAnswer(NamedTuple):
    """An option that somebody chose, and the outcome; `query` is the link's query, for the page that asks again."""

    question: Question
    option: str
    outcome: Outcome
    query: str = ""
    by_card: bool = False
    page_breaks: bool = False


def ask(mailbox: Mailbox, request: ApprovalRequest) -> Question:
    """Send a mail with options, and wait for the answer.

    Raises InvalidField for the options and the callback URL, and what sending raises.
    """
    # All of it first, so that a refused request sends no mail.
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
        # In one transaction with the mail, whose links would otherwise lead nowhere.
        approval_store.insert_question(mailbox.db, values)
        body = compose(request, _links(mailbox, token, request.options))
        mail = request.mail._replace(body=body, is_html=True)
        delivery.post(mailbox, mail, "Send", mailbox.rng.getrandbits(62))
    return find(mailbox.db, token)


def withdraw_approval(mailbox: Mailbox, *, id: str) -> None:
    """Withdraw an approval mail; it takes no answer any more. Raises NotFound, also if it was withdrawn before."""
    _withdraw(mailbox, id, QuestionKind.APPROVAL)


def withdraw_options(mailbox: Mailbox, *, id: str) -> None:
    """Withdraw a mail with options; it takes no answer any more. Raises NotFound, also if it was withdrawn before."""
    _withdraw(mailbox, id, QuestionKind.OPTIONS)


def follow(
    mailbox: Mailbox, *, state: str, sig: str | None = None, show_confirm: bool = False, content_of: ContentOf
) -> ApprovalAnswer:
    """Answer by following a link; with `show_confirm`, a page asks for confirmation first.

    `content_of` makes the callback to the sender of the question. Raises InvalidField, BadSignature and NotFound for a
    link that is not valid.
    """
    question, option = _read_link(mailbox, state, sig)
    # Only while an answer would count: who is late learns so at once.
    if show_confirm and question.answer is None and not question.withdrawn:
        return ApprovalAnswer(question, option, Outcome.CONFIRM, f"state={state}&sig={sig}")
    # Else the link itself answers, also for a mail filter that follows links (page of the Office 365 twin).
    return _answer(mailbox, question, option, content_of)


def submit(
    mailbox: Mailbox, *, state: str, sig: str | None = None, from_confirm: bool = False, content_of: ContentOf
) -> ApprovalAnswer:
    """Answer from the confirmation page or by a button of the card. Raises as `follow` does."""
    question, option = _read_link(mailbox, state, sig)
    return _answer(mailbox, question, option, content_of)._replace(by_card=not from_confirm)


def choose(mailbox: Mailbox, question: Question, option: str, content_of: ContentOf) -> Question:
    """Answer a question of this mailbox as a link would, and return the answered question.

    Raises InvalidField for an option that it does not have, Conflict when it was answered or withdrawn.
    """
    options = options_of(question)
    if option not in options:
        raise InvalidField("option", f"must be one of {', '.join(options)[:500]}, not '{option[:100]}'.")
    answer = _answer(mailbox, question, option, content_of)
    if answer.outcome is Outcome.WITHDRAWN:
        raise Conflict(f"The question '{question.token}' was withdrawn.")
    if answer.outcome is Outcome.ANSWERED:
        raise Conflict(f"The question '{question.token}' was answered already: {question.answer}.")
    return answer.question


def find(db: Database, token: str) -> Question:
    """The question with a token, in whichever mailbox. Raises NotFound."""
    question = approval_store.question(db, token)
    if question is None:
        raise NotFound()
    return question


def all_questions(db: Database) -> list[Question]:
    """All questions of a sandbox, oldest first, including those that were answered or withdrawn."""
    return approval_store.questions(db)


def options_of(question: Question) -> list[str]:
    """The options of a question."""
    options: list[str] = orjson.loads(question.options)
    return options


def _check(mailbox: Mailbox, request: ApprovalRequest) -> None:
    delivery.check_images(mailbox, request.mail.body)
    count, limit = len(request.options), mailbox.rules.max_options
    if not count:
        raise InvalidField("options", "must name at least one option.")
    if limit and count > limit:
        raise InvalidField("options", f"names {count} options; at most {limit} are allowed.")
    for option in request.options:
        # Without blanks, since `isprintable` accepts none but the space.
        if len(option) > _LONGEST_OPTION or not "".join(option.split()).isprintable():
            rule = f"has options of at most {_LONGEST_OPTION} printable characters"
            raise InvalidField("options", f"{rule}, unlike '{option[:50]!r}'.")
    callbacks.check_url(request.callback_url, "notification_url", mailbox.rules.hosts_of_callbacks)
    if not request.mail.to:
        raise InvalidRecipients()
    delivery.check_size(mailbox, request.mail)


def _links(mailbox: Mailbox, token: str, options: tuple[str, ...]) -> dict[str, str]:
    """The URL behind each option; to be called inside a transaction."""
    start, key = f"{_origin(mailbox)}{ANSWER_PATH}?", _ensure_key(mailbox)
    states = [LinkState(mailbox.rules.sandbox, mailbox.owner.id, token, index) for index in range(len(options))]
    return {option: start + answer_links.query_of(key, state) for option, state in zip(options, states, strict=True)}


def _origin(mailbox: Mailbox) -> str:
    """The base URL for recipients: the setting or, without one, the URL that the caller used."""
    return mailbox.rules.public_url.rstrip("/") or mailbox.caller.base_url


def check_key(db: Database) -> None:
    """Raise ValueError if the key of links from elsewhere cannot be read."""
    if (key := _key(db)) is not None and len(key) != _KEY_BYTES:
        raise ValueError("the key of links has another length")


def _key(db: Database) -> bytes | None:
    text = sandbox_state.get(db, _KEY)
    return None if text is None else bytes.fromhex(text)


def _ensure_key(mailbox: Mailbox) -> bytes:
    key = _key(mailbox.db)
    if key is None:
        # Kept in the sandbox: links stay valid when a server restarts on its file, and no other sandbox accepts them.
        # From the system, since whoever sees enough ids of the sandbox's own generator can compute what it gives next.
        key = mailbox.rng.randbytes(_KEY_BYTES) if mailbox.rules.repeats_keys else secrets.token_bytes(_KEY_BYTES)
        sandbox_state.put(mailbox.db, _KEY, key.hex())
    return key


def _read_link(mailbox: Mailbox, state: str, sig: str | None) -> tuple[Question, str]:
    """The question and the option behind a link.

    Raises InvalidField for an unreadable link, BadSignature, and NotFound for one from before a reset.
    """
    link = answer_links.read(state)
    # Before the question is looked up, so that without a signature nobody learns which questions exist.
    answer_links.check(_key(mailbox.db), state, sig)
    question = find(mailbox.db, link.question)
    options = options_of(question)
    if question.mailbox_id != mailbox.owner.id or link.option >= len(options):
        raise NotFound()
    return question, options[link.option]


def _answer(mailbox: Mailbox, question: Question, option: str, content_of: ContentOf) -> ApprovalAnswer:
    """Record an option as the answer if it is the first one, and call back the sender of the question."""
    if question.answer is not None:
        # Only the first answer calls back (inferred: evidence is silent about a second click).
        return ApprovalAnswer(question, option, Outcome.ANSWERED)
    if question.withdrawn:
        return ApprovalAnswer(question, option, Outcome.WITHDRAWN)
    with mailbox.db.transaction():
        approval_store.record_answer(mailbox.db, question.id, option, mailbox.now)
        callbacks.enqueue(
            mailbox,
            question.callback_url,
            content_of(option),
            kind=CallbackKind.ANSWER,
            reference=question.token,
        )
    answered = question._replace(answer=option, answered=mailbox.now)
    return ApprovalAnswer(answered, option, Outcome.RECORDED, page_breaks=mailbox.rules.breaks_answer_page)


def _withdraw(mailbox: Mailbox, token: str, kind: QuestionKind) -> None:
    question = find(mailbox.db, token)
    # An answered question can be withdrawn too: engines unsubscribe when a workflow is changed (vendor's
    # documentation).
    if (question.mailbox_id, question.kind, question.withdrawn) != (mailbox.owner.id, kind, 0):
        raise NotFound()
    with mailbox.db.transaction():
        approval_store.withdraw_question(mailbox.db, question.id)
