"""A state machine drives the target and a model of a mailbox side by side; a failure is printed as a script."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox, Unexpected
from outlook_contract.model import Mail, MailboxModel
from outlook_contract.plugin import ContractRun
from outlook_contract.script import script

_FOLDERS = ("Inbox", "SentItems", "Archive", "DeletedItems")
_IMPORTANCE = ("Low", "Normal", "High")
_SPAN = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
_EVENT = st.fixed_dictionaries(
    {},
    optional={
        "Location": st.sampled_from(["Room 1", "Room 2"]),
        "Importance": st.sampled_from(_IMPORTANCE),
        "ShowAs": st.sampled_from(["Free", "Tentative", "Busy"]),
    },
)
_CONTACT = st.fixed_dictionaries(
    {},
    optional={
        "Surname": st.sampled_from(["Byron", "Babbage"]),
        "CompanyName": st.sampled_from(["Engines", ""]),
        "HomePhones": st.lists(st.sampled_from(["1", "2"]), max_size=2, unique=True),
        "BusinessPhones": st.lists(st.sampled_from(["3", "4"]), max_size=2, unique=True),
    },
)
_ATTACHMENTS = [{"Name": "a.txt", "ContentBytes": "YQ=="}]
_SERIALS = count(1)


class Mismatch(AssertionError):
    """The target shows something else than the model."""

    def __init__(self, operation: str, member: str, expected: Any, seen: Any) -> None:
        super().__init__(f"{operation} {member}: expected {expected!r}, seen {seen!r}")
        self.operation, self.member, self.expected, self.seen = operation, member, str(expected), str(seen)


def machine_of(mailbox: Mailbox) -> type[RuleBasedStateMachine]:
    """A state machine on a mailbox. Each run looks only at what it made itself."""

    class Machine(RuleBasedStateMachine):
        mails = Bundle("mails")
        events = Bundle("events")
        contacts = Bundle("contacts")
        first_exchange = 0

        @initialize()
        def begin(self) -> None:
            type(self).first_exchange = len(mailbox.transport.exchanges)
            mailbox.report.cases[mailbox.report.check] += 1
            self.model = MailboxModel()
            self.model.start_polling()
            self.tag = mailbox.name(f"Model {next(_SERIALS)}")
            self.ids: dict[str, str] = {}
            self.answered: set[str] = set()
            self.keys = (f"key {number}" for number in count(1))
            poll = mailbox.call("OnNewEmailV2", folderPath="Inbox", fetchOnlyWithAttachment=False)
            self.cursor = poll.headers["Location"]

        # --- Mail ---

        @rule(target=mails, importance=st.integers(0, 2), has_attachment=st.booleans())
        def send(self, importance: int, has_attachment: bool) -> str:
            key = next(self.keys)
            subject = f"{key} {self.tag}"
            mail = {"To": mailbox.address, "Subject": subject, "Body": "<p>Hello</p>"}
            attachments = {"Attachments": _ATTACHMENTS} if has_attachment else {}
            mailbox.ok("SendEmailV2", {**mail, "Importance": _IMPORTANCE[importance], **attachments})
            self.model.send(key, subject, importance, has_attachment)
            self._find_sent(key, subject)
            return key

        @rule(target=mails, original=mails)
        def reply(self, original: str) -> str:
            subject = f"RE: {self.model.mails[original].subject}"
            if original in self.answered or subject.startswith("RE: RE: "):
                return original
            self.answered.add(original)
            key = next(self.keys)
            mailbox.ok("ReplyToV3", {"Body": "<p>Thanks</p>"}, messageId=self.ids[original])
            self.model.send(key, subject, 0, False)
            self._find_sent(key, subject)
            return key

        @rule(key=mails)
        def mark_read(self, key: str) -> None:
            mailbox.ok("MarkAsRead", messageId=self.ids[key])
            self.model.mark_read(key)

        @rule(key=mails, folder=st.sampled_from(["Inbox", "Archive"]))
        def move(self, key: str, folder: str) -> None:
            if self.model.mails[key].folder == folder:
                return
            moved = mailbox.ok("Move", messageId=self.ids[key], folderPath=folder)
            _compare("GetEmail", "status", 404, mailbox.call("GetEmail", messageId=self.ids[key]).status)
            self.ids[key] = moved["Id"]
            self.model.move(key, folder)

        @rule(key=consumes(mails))
        def delete_mail(self, key: str) -> None:
            mailbox.ok("DeleteEmail", messageId=self.ids[key])
            _compare("GetEmail", "status", 404, mailbox.call("GetEmail", messageId=self.ids[key]).status)
            self.model.delete_mail(key)

        @rule(
            folder=st.sampled_from(_FOLDERS),
            unread_only=st.booleans(),
            importance=st.none() | st.integers(0, 2),
        )
        def list_mails(self, folder: str, unread_only: bool, importance: int | None) -> None:
            self.list_mails_of(folder, unread_only=unread_only, importance=importance)

        @rule()
        def poll(self) -> None:
            # The second time nothing is new.
            self.poll_once()
            self.poll_once()

        def poll_once(self) -> None:
            response = mailbox.follow(self.cursor)
            self.cursor = response.headers["Location"]
            fired = (response.json() or {}).get("value", []) if response.status == 200 else []
            expected = sorted(_facts(mail) for mail in self.model.poll())
            _compare("OnNewEmailV2", "value", expected, sorted(self._own(fired)))

        # --- Events ---

        @rule(target=events, body=_EVENT)
        def create_event(self, body: dict[str, Any]) -> str:
            key = next(self.keys)
            whole = {"Subject": f"{key} {self.tag}", **_SPAN, **body}
            self.ids[key] = mailbox.ok("V3CalendarPostItem", whole, table=CALENDAR)["Id"]
            self.model.create_event(key, whole)
            self.read_event(key)
            return key

        @rule(key=events, body=_EVENT)
        def update_event(self, key: str, body: dict[str, Any]) -> None:
            whole = {"Subject": f"{key} {self.tag}", **_SPAN, **body}
            mailbox.ok("V3CalendarPatchItem", whole, table=CALENDAR, id=self.ids[key])
            self.model.update_event(key, whole)
            self.read_event(key)

        @rule(key=consumes(events))
        def delete_event(self, key: str) -> None:
            mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=self.ids[key])
            _compare("V2CalendarGetItem", "status", 404, self._event(key).status)
            self.model.delete_event(key)

        def read_event(self, key: str) -> None:
            event = self._event(key).json()
            for name, value in self.model.events[key].items():
                if name not in _SPAN:
                    _compare("V2CalendarGetItem", name, value, event[name])

        # --- Contacts ---

        @rule(target=contacts, body=_CONTACT)
        def create_contact(self, body: dict[str, Any]) -> str:
            key = next(self.keys)
            whole = {"GivenName": f"{key} {self.tag}", **body}
            self.ids[key] = mailbox.ok("ContactPostItem", whole, table=CONTACTS)["Id"]
            self.model.create_contact(key, whole)
            self.read_contact(key)
            return key

        @rule(key=contacts, body=_CONTACT)
        def patch_contact(self, key: str, body: dict[str, Any]) -> None:
            named = {"GivenName": f"{key} {self.tag}", **body}
            mailbox.ok("ContactPatchItem", named, table=CONTACTS, id=self.ids[key])
            self.model.patch_contact(key, named)
            self.read_contact(key)

        @rule(key=consumes(contacts))
        def delete_contact(self, key: str) -> None:
            mailbox.ok("ContactDeleteItem", table=CONTACTS, id=self.ids[key])
            status = mailbox.call("ContactGetItem", table=CONTACTS, id=self.ids[key]).status
            _compare("ContactGetItem", "status", 404, status)
            self.model.delete_contact(key)

        def read_contact(self, key: str) -> None:
            contact = mailbox.ok("ContactGetItem", table=CONTACTS, id=self.ids[key])
            for name, value in self.model.contacts[key].items():
                # No source shows whether a text that was never set reads as null or as empty.
                _compare("ContactGetItem", name, value, contact[name] or type(value)())

        @invariant()
        def inbox_is_as_in_the_model(self) -> None:
            if self.ids:
                self.list_mails_of("Inbox", unread_only=False, importance=None)
                self.list_mails_of("Inbox", unread_only=True, importance=None)

        def list_mails_of(self, folder: str, *, unread_only: bool, importance: int | None) -> None:
            word = "Any" if importance is None else _IMPORTANCE[importance]
            # The filter on the tag keeps the lists short, which would grow with every run of the machine.
            query = {"fetchOnlyUnread": unread_only, "importance": word, "subjectFilter": self.tag, "top": 250}
            listed = mailbox.ok("GetEmailsV2", folderPath=folder, **query)["value"]
            expected = self.model.listed(folder, unread_only=unread_only, importance=importance)
            _compare("GetEmailsV2", "value", [_facts(mail) for mail in expected], self._own(listed))

        def _find_sent(self, key: str, subject: str) -> None:
            self.ids[key] = mailbox.mail(subject, subjectFilter=self.tag)["Id"]
            self.ids[f"{key}-copy"] = mailbox.mail(subject, "SentItems", subjectFilter=self.tag)["Id"]

        def _event(self, key: str) -> Any:
            return mailbox.call("V2CalendarGetItem", table=CALENDAR, id=self.ids[key])

        def _own(self, listed: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
            names = ("Subject", "IsRead", "Importance", "HasAttachment")
            return [tuple(mail[name] for name in names) for mail in listed if self.tag in mail["Subject"]]

    return Machine


def _facts(mail: Mail) -> tuple[Any, ...]:
    return mail.subject, mail.is_read, mail.importance, mail.has_attachment


def _compare(operation: str, member: str, expected: Any, seen: Any) -> None:
    if seen != expected:
        raise Mismatch(operation, member, expected, seen)


def disagreement(mailbox: Mailbox, examples: int, *, shrinks: bool = True) -> tuple[AssertionError, str] | None:
    """What the target does otherwise than the model, and a script of the calls that show it; None if it agrees.

    Unless it `shrinks`, the calls are the first that were found, not the fewest.
    """
    machine = machine_of(mailbox)
    options = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        database=None,
        derandomize=True,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_machine(machine, settings=options)
    except (Mismatch, Unexpected) as mismatch:
        exchanges = mailbox.transport.exchanges[machine.first_exchange :]  # type: ignore[attr-defined]
        return mismatch, script(exchanges, mailbox.url)
    return None


def test_the_target_agrees_with_the_model(contract: ContractRun, mailbox: Mailbox, own_address: str) -> None:
    """Whatever is sent, moved, changed and deleted, the target shows what the model shows.

    `--examples` says how many sequences of calls are tried. A failure is shrunk and printed as a shell script.
    """
    if difference := disagreement(mailbox, contract.options.examples):
        mismatch, calls = difference
        if isinstance(mismatch, Mismatch):
            mailbox.report.add(mismatch.operation, mismatch.member, mismatch.expected, mismatch.seen)
        pytest.fail(f"{mismatch}\n\n{calls}", pytrace=False)
