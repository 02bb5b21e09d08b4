"""Generate the mails of the sample mailbox `archive`: fictional mail of the year 2025, from a fixed random seed.

`make samples` writes them to `fixtures/archive/mails.jsonl`; a test fails when that file is out of date. The same
version of Faker generates the same mails.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import formataddr
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import orjson
from faker import Faker

from outlook_emulator.enums import Importance
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.sandbox.samples import SampleMail

TARGET = Path(__file__).parents[1] / "fixtures" / "archive" / "mails.jsonl"

_OWNER = Address("mary@example.com", "Mary Somerville")
_COUNT = 2000
_SEED = 4365
_FOLDERS: Mapping[tuple[str, ...], int] = {
    ("Inbox",): 40,
    ("Sent Items",): 20,
    ("Archive", "2025"): 15,
    ("Projects", "Tides"): 8,
    ("Projects", "Translation"): 6,
    ("Receipts",): 4,
    ("Newsletters",): 4,
    ("Deleted Items",): 2,
    ("Junk Email",): 1,
}
"""The share of each folder."""

_SENT = ("Sent Items",)

_START = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
_YEAR = 365 * 24 * 3600 * 1_000_000
_CORRESPONDENTS = 40
_OPEN_THREADS = 25
_IMPORTANCES = [Importance.Normal] * 22 + [Importance.High] * 2 + [Importance.Low]

_TOPICS = [
    *("the tide tables", "chapter seven", "the museum visit", "the telescope grant", "the autumn lectures"),
    *("the printer contract", "the translation", "the index", "the spring budget", "the lens order"),
    *("the reading group", "the library move", "the train tickets", "the new intern", "the comet paper"),
    *("the garden party", "the data sheets", "the safety course", "the second edition", "the workshop in Leith"),
]
_SUBJECTS = [
    *("Minutes: {topic}", "Question about {topic}", "Draft for {topic}", "{topic}: who takes it?", "About {topic}"),
    *("Invoice {number} from {company}", "Your order {number} has been sent", "Lunch on {day}?", "Reminder: {topic}"),
    *("{company} can {pitch}", "Moved to {day}: {topic}", "Figures for {topic}", "Thank you for {topic}"),
]
_SENTENCES = [
    "I have gone through {topic} once more and found {number} small things, none of them urgent.",
    "Could you let me know by {day} whether {topic} can go ahead as it is?",
    "{person} will join us on {day}, so we should bring a second chair.",
    "The figures for {topic} are in, and for once they add up.",
    "Nobody has heard from {company} since {day}; I will ring them after lunch.",
    "I would rather wait with {topic} until {person} is back.",
    "They promise to {pitch}, whatever that means, for {number} pounds.",
    "Room {number} is taken on {day}, but the one above it has the better windows.",
    "Please keep {topic} short: last time we missed the tea.",
    "If you see {person}, say that the key to the cabinet is still in my coat.",
    "We agreed to leave {topic} to {person} and to look at it again on {day}.",
    "The courier came on {day} with {number} boxes, and took one of them away again.",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
_GREETINGS = ["Dear {name},", "Hello {name},", "{name},", "Good morning {name},"]
_CLOSINGS = ["Best wishes", "Yours", "Kind regards", "Thanks"]
_FILES = [
    Attachment("figures.csv", b"month,count\r\nJanuary,31\r\nFebruary,28\r\n", "text/csv"),
    Attachment("notes.txt", b"Bring the long ruler.\r\n", "text/plain"),
    Attachment("agenda.html", b"<ol><li>Tea</li><li>Tides</li></ol>", "text/html"),
    Attachment("draft.pdf", b"%PDF-1.4\n%%EOF\n", "application/pdf"),
]


def source() -> bytes:
    """The content of `mails.jsonl`: one JSON object a line, with the keys of `[[mail]]` in a `mailbox.toml`."""
    return b"".join(orjson.dumps(_row(mail)) + b"\n" for mail in generate(_OWNER, _COUNT, _SEED, _FOLDERS))


def generate(owner: Address, count: int, seed: int, shares: Mapping[tuple[str, ...], int]) -> Iterator[SampleMail]:
    """`count` mails of 2025, oldest first, spread over folders by their shares. Equal arguments give equal mails.

    Mails in Sent Items are from the owner, all others are to the owner.
    """
    return _Year(owner, seed).mails(count, shares)


def _row(sample: SampleMail) -> dict[str, Any]:
    mail = sample.mail
    values = {
        "folder": "/".join(sample.folder),
        "received": _time(sample.received),
        "sent": _time(mail.sent or 0),
        "read": sample.is_read,
        "flagged": sample.is_flagged,
        "from": _addresses(mail.sender),
        "to": _addresses(*mail.to),
        "cc": _addresses(*mail.cc),
        "subject": mail.subject,
        "importance": Importance(mail.importance).name if mail.importance != Importance.Normal else "",
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "html" if mail.is_html else "text": mail.body.replace("\r\n", "\n"),
        "attachments": [_file(attachment) for attachment in mail.attachments],
    }
    return {key: value for key, value in values.items() if value}


def _file(attachment: Attachment) -> dict[str, str]:
    content = b64encode(attachment.content).decode()
    return {"name": attachment.name, "type": attachment.content_type, "base64": content}


def _addresses(*addresses: Address | None) -> str:
    return ", ".join(formataddr((entry.name, entry.address)) for entry in addresses if entry is not None)


def _time(instant: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.isoformat().replace("+00:00", "Z")


class _Year:
    # One run, with its random numbers, its people, and the threads that may still get a reply.

    def __init__(self, owner: Address, seed: int) -> None:
        self.owner = owner
        self.rng = Random(seed)
        self.faker = Faker("en_US")
        self.faker.seed_instance(seed)
        self.people = [self._person() for _ in range(_CORRESPONDENTS)]
        self.companies = [self.faker.company() for _ in range(_CORRESPONDENTS)]
        self.threads: list[Mail] = []

    def _person(self) -> Address:
        first, last = self.faker.first_name(), self.faker.last_name()
        return Address(f"{first}.{last}@example.org".lower(), f"{first} {last}")

    def mails(self, count: int, shares: Mapping[tuple[str, ...], int]) -> Iterator[SampleMail]:
        folders = self.rng.choices(list(shares), weights=list(shares.values()), k=count)
        for number, folder in enumerate(folders):
            received = _START + _YEAR * number // count + self.rng.randrange(_YEAR // count)
            is_sent = folder == _SENT
            # A Date header has whole seconds.
            sent = received // 1_000_000 * 1_000_000
            yield SampleMail(
                mail=self._mail(number, sent, is_sent),
                folder=folder,
                received=received,
                is_read=is_sent or self.rng.random() < 0.8,
                is_flagged=not is_sent and self.rng.random() < 0.05,
            )

    def _mail(self, number: int, sent: int, is_sent: bool) -> Mail:
        before = self.rng.choice(self.threads) if self.threads and self.rng.random() < 0.35 else None
        partner = self._partner(before) if before else self.rng.choice(self.people)
        sender, recipient = (self.owner, partner) if is_sent else (partner, self.owner)
        is_html = self.rng.random() < 0.6
        mail = Mail(
            sender=sender,
            to=(recipient,),
            cc=(self.rng.choice(self.people),) if self.rng.random() < 0.1 else (),
            subject=_reply_subject(before.subject) if before else self._subject(),
            body=self._body(sender, recipient, is_html),
            is_html=is_html,
            importance=self.rng.choice(_IMPORTANCES),
            sent=sent,
            message_id=f"<{number:06}.2025@example.org>",
            in_reply_to=before.message_id if before else None,
            references=(*before.references, before.message_id or "") if before else (),
            attachments=self._attachments(),
        )
        self._remember(mail, before)
        return mail

    def _partner(self, before: Mail) -> Address:
        return before.to[0] if before.sender == self.owner else before.sender or self.owner

    def _remember(self, mail: Mail, before: Mail | None) -> None:
        if before is not None:
            self.threads.remove(before)
        self.threads.append(mail)
        del self.threads[:-_OPEN_THREADS]

    def _subject(self) -> str:
        subject = self._filled(self.rng.choice(_SUBJECTS))
        return subject[0].upper() + subject[1:]

    def _filled(self, template: str) -> str:
        return template.format(
            topic=self.rng.choice(_TOPICS),
            day=self.rng.choice(_DAYS),
            person=self.rng.choice(self.people).name,
            company=self.rng.choice(self.companies),
            number=self.rng.randint(2, 480),
            pitch=self.faker.bs(),
        )

    def _body(self, sender: Address, recipient: Address, is_html: bool) -> str:
        greeting = self.rng.choice(_GREETINGS).format(name=recipient.name.split()[0])
        sentences = [self._filled(template) for template in self.rng.sample(_SENTENCES, k=self.rng.randint(2, 5))]
        closing = [self.rng.choice(_CLOSINGS), sender.name]
        if not is_html:
            return "\r\n\r\n".join([greeting, " ".join(sentences), "\r\n".join(closing)]) + "\r\n"
        paragraphs = [escape(greeting), *map(escape, sentences), "<br>".join(map(escape, closing))]
        return f"<html><body>{''.join(f'<p>{paragraph}</p>' for paragraph in paragraphs)}</body></html>"

    def _attachments(self) -> tuple[Attachment, ...]:
        count = self.rng.choices([0, 1, 2], weights=[85, 12, 3])[0]
        return tuple(self.rng.sample(_FILES, k=count))


def _reply_subject(subject: str) -> str:
    return subject if subject.startswith("RE: ") else f"RE: {subject}"


if __name__ == "__main__":
    TARGET.write_bytes(source())
