"""A state machine drives the target and a model of a mailbox side by side; a failure is printed as a script."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox
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
            self.model = MailboxModel()
            self.model.start_polling()
            self.tag = mailbox.name(f"Model {next(_SERIALS)}")
            self.ids: dict[str, str] = {}
            self.keys = (f"key {number}" for number in count(1))
            poll = mailbox.call("OnNewEmailV2", folderPath="Inbox", fetchOnlyWithAttachment=False)
            self.cursor = poll.headers["Location"]

        # --- Mail ---

        @rule(target=mails, importance=st.integers(0, 2), has_attachment=st.booleans())
        def send(self, importance: int, has_attachment: bool) -> str:
            key = next(self.keys)
            subject = f"{key} {self.tag}"
            body = {
                "To": mailbox.address,
                "Subject": subject,
                "Body": "<p>Hello</p>",
                "Importance": _IMPORTANCE[importance],
            }
            if has_attachment:
                body["Attachments"] = [{"Name": "a.txt", "ContentBytes": "YQ=="}]
            mailbox.ok("SendEmailV2", body)
            self.model.send(key, subject, importance, has_attachment)
            self.ids[key] = mailbox.mail(subject)["Id"]
            self.ids[f"{key}-copy"] = mailbox.mail(subject, "SentItems")["Id"]
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
            return key

        @rule(key=events, body=_EVENT)
        def update_event(self, key: str, body: dict[str, Any]) -> None:
            whole = {"Subject": f"{key} {self.tag}", **_SPAN, **body}
            mailbox.ok("V3CalendarPatchItem", whole, table=CALENDAR, id=self.ids[key])
            self.model.update_event(key, whole)

        @rule(key=consumes(events))
        def delete_event(self, key: str) -> None:
            mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=self.ids[key])
            _compare("V2CalendarGetItem", "status", 404, self._event(key).status)
            self.model.delete_event(key)

        @rule(key=events)
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
            return key

        @rule(key=contacts, body=_CONTACT)
        def patch_contact(self, key: str, body: dict[str, Any]) -> None:
            named = {"GivenName": f"{key} {self.tag}", **body}
            mailbox.ok("ContactPatchItem", named, table=CONTACTS, id=self.ids[key])
            self.model.patch_contact(key, named)

        @rule(key=consumes(contacts))
        def delete_contact(self, key: str) -> None:
            mailbox.ok("ContactDeleteItem", table=CONTACTS, id=self.ids[key])
            status = mailbox.call("ContactGetItem", table=CONTACTS, id=self.ids[key]).status
            _compare("ContactGetItem", "status", 404, status)
            self.model.delete_contact(key)

        @rule(key=contacts)
        def read_contact(self, key: str) -> None:
            contact = mailbox.ok("ContactGetItem", table=CONTACTS, id=self.ids[key])
            for name, value in self.model.contacts[key].items():
                # No source shows whether a text that was never set reads as null or as empty.
                _compare("ContactGetItem", name, value, contact[name] or type(value)())

        @invariant()
        def inbox_is_as_in_the_model(self) -> None:
            if self.ids:
                self.list_mails_of("Inbox", unread_only=False, importance=None)

        def list_mails_of(self, folder: str, *, unread_only: bool, importance: int | None) -> None:
            word = "Any" if importance is None else _IMPORTANCE[importance]
            query = {"fetchOnlyUnread": unread_only, "importance": word, "includeAttachments": False, "top": 250}
            listed = mailbox.ok("GetEmailsV2", folderPath=folder, **query)["value"]
            expected = self.model.listed(folder, unread_only=unread_only, importance=importance)
            _compare("GetEmailsV2", "value", [_facts(mail) for mail in expected], self._own(listed))

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


def test_the_target_agrees_with_the_model(contract: ContractRun, mailbox: Mailbox, own_address: str) -> None:
    """Whatever is sent, moved, changed and deleted, the target shows what the model shows.

    `--examples` says how many sequences of calls are tried. A failure is shrunk and printed as a shell script.
    """
    machine = machine_of(mailbox)
    examples = settings(
        max_examples=contract.options.examples,
        stateful_step_count=12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_machine(machine, settings=examples)
    except Mismatch as mismatch:
        exchanges = mailbox.transport.exchanges[machine.first_exchange :]  # type: ignore[attr-defined]
        mailbox.report.add(mismatch.operation, mismatch.member, mismatch.expected, mismatch.seen)
        pytest.fail(f"{mismatch}\n\n{script(exchanges, mailbox.url)}", pytrace=False)
