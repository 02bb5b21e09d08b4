"""Journeys through lists of mails: defaults, filters, order and limits."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from outlook_contract.mailbox import Mailbox, Unexpected

LISTS = ("GetEmails", "GetEmailsV2")


def mails(mailbox: Mailbox, operation: str, **parameters: Any) -> list[dict[str, Any]]:
    """The mails of a list of either version."""
    answer = mailbox.ok(operation, **parameters)
    listed: list[dict[str, Any]] = answer["value"] if operation == "GetEmailsV2" else answer
    return listed


def subjects(mailbox: Mailbox, **filters: Any) -> list[str]:
    """The subjects of this run's mails that a filtered list has."""
    listed = mails(mailbox, "GetEmailsV2", **{"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50, **filters})
    return [mail["Subject"] for mail in listed if mailbox.marker in mail["Subject"]]


def check_filter(mailbox: Mailbox, hit: str, miss: str, **filters: Any) -> None:
    """A filter lists the mail `hit` and not the mail `miss`."""
    listed = subjects(mailbox, **filters)
    name = ", ".join(filters)
    mailbox.holds("GetEmailsV2", name, listed, f"lists {hit}", hit in listed)
    mailbox.holds("GetEmailsV2", name, listed, f"leaves out {miss}", miss not in listed)


@pytest.mark.parametrize("operation", LISTS)
def test_lists_hold_unread_mails_of_the_inbox(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Without parameters a list holds unread mails of the inbox alone, as the definition's defaults say."""
    read = mailbox.to_self(f"Read {operation}")
    mailbox.ok("MarkAsRead", messageId=read["Id"])
    unread = mailbox.to_self(f"Unread {operation}")
    listed = {mail["Subject"]: mail["IsRead"] for mail in mails(mailbox, operation)}
    mailbox.holds(operation, "fetchOnlyUnread", listed, "only unread mails", not any(listed.values()))
    mailbox.holds(operation, "folderPath", list(listed), "the unread mail", unread["Subject"] in listed)
    everything = [mail["Subject"] for mail in mails(mailbox, operation, fetchOnlyUnread=False)]
    mailbox.holds(operation, "fetchOnlyUnread", everything, "also the read mail", read["Subject"] in everything)


@pytest.mark.parametrize("operation", LISTS)
def test_lists_hold_ten_mails_by_default(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """A list without `top` has ten mails, as the definition says."""
    query = {"folderPath": "SentItems", "fetchOnlyUnread": False}
    missing = 11 - len(mails(mailbox, operation, top=11, **query))
    for number in range(missing):
        mailbox.ok("SendEmailV2", {"To": own_address, "Subject": mailbox.name(f"Many {number}"), "Body": "x"})
    mailbox.until("an eleventh mail", lambda: len(mails(mailbox, operation, top=11, **query)) == 11)
    mailbox.equal(operation, "top", len(mails(mailbox, operation, **query)), 10)


@pytest.mark.parametrize("operation", LISTS)
def test_the_newest_mails_come_first(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Lists are ordered by the time of arrival, newest first, and `top` cuts off the oldest."""
    for text in ("First", "Second", "Third"):
        mailbox.to_self(f"{text} {operation}")
    listed = mails(mailbox, operation, folderPath="Inbox", fetchOnlyUnread=False, top=50)
    times = [mail["DateTimeReceived"] for mail in listed]
    mailbox.equal(operation, "value[].DateTimeReceived", times, sorted(times, reverse=True))
    own = [mail["Subject"].split()[0] for mail in listed if mail["Subject"].endswith(f"{operation} {mailbox.marker}")]
    mailbox.equal(operation, "value[].Subject", own[:3], ["Third", "Second", "First"])
    shorter = mails(mailbox, operation, folderPath="Inbox", fetchOnlyUnread=False, top=2)
    mailbox.equal(operation, "top", [mail["Id"] for mail in shorter], [mail["Id"] for mail in listed[:2]])


def test_the_first_version_pages_by_skip(mailbox: Mailbox, own_address: str) -> None:
    """`skip` leaves out the newest mails."""
    for text in ("One", "Two", "Three"):
        mailbox.to_self(f"Page {text}")
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False}
    whole = [mail["Id"] for mail in mails(mailbox, "GetEmails", top=3, **query)]
    page = [mail["Id"] for mail in mails(mailbox, "GetEmails", top=2, skip=1, **query)]
    mailbox.equal("GetEmails", "skip", page, whole[1:])


def test_lists_filter_by_subject_and_importance(mailbox: Mailbox, own_address: str) -> None:
    """`subjectFilter` finds a part of the subject, `importance` one of the three words."""
    hit = mailbox.to_self("Needle", Importance="High")["Subject"]
    miss = mailbox.to_self("Haystack")["Subject"]
    check_filter(mailbox, hit, miss, subjectFilter="eedle")
    check_filter(mailbox, hit, miss, importance="High")
    check_filter(mailbox, miss, hit, importance="Normal")
    check_filter(mailbox, mailbox.to_self("Straw", Importance="Low")["Subject"], miss, importance="Low")
    # Older mails are looked at as well: `top` counts those that match.
    mailbox.equal("GetEmailsV2", "top", subjects(mailbox, subjectFilter=hit, top=1), [hit])
    mailbox.equal("GetEmailsV2", "top", subjects(mailbox, subjectFilter="needle contract", top=1), [hit])


def test_lists_filter_by_addresses(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """`from`, `to`, `cc` and `toOrCc` each find their own addresses; `to` and `cc` together mean both (documented)."""
    subject = mailbox.name("Addressed")
    partner.ok("SendEmailV2", {"To": own_address, "Cc": partner.address, "Subject": subject, "Body": "<p>x</p>"})
    mailbox.mail(subject)
    other = mailbox.to_self("To me alone")["Subject"]
    check_filter(mailbox, subject, other, from_=partner.address.upper())
    check_filter(mailbox, other, subject, from_=own_address)
    check_filter(mailbox, subject, other, cc=partner.address)
    check_filter(mailbox, subject, other, toOrCc=partner.address)
    check_filter(mailbox, subject, other, to=own_address, cc=partner.address)
    listed = subjects(mailbox, to=partner.address)
    mailbox.holds("GetEmailsV2", "to", listed, "no mail to oneself alone", not {subject, other} & set(listed))


def test_lists_filter_by_attachment_and_flag(mailbox: Mailbox, own_address: str) -> None:
    """`fetchOnlyWithAttachment` and `fetchOnlyFlagged` leave out all other mails."""
    hit = mailbox.to_self("With file", Attachments=[{"Name": "a.txt", "ContentBytes": "aGk="}])
    miss = mailbox.to_self("Without file")
    check_filter(mailbox, hit["Subject"], miss["Subject"], fetchOnlyWithAttachment=True)
    mailbox.ok("Flag", messageId=miss["Id"])
    check_filter(mailbox, miss["Subject"], hit["Subject"], fetchOnlyFlagged=True)


@pytest.mark.parametrize("operation", LISTS)
def test_a_search_finds_a_word(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """`searchQuery` finds mails by a word of the body; live notes say that it may fail on personal mailboxes."""
    word = f"zebra{mailbox.marker[-8:]}"
    hit = mailbox.to_self(f"Searched {operation}", Body=f"<p>A {word} ran</p>")
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "searchQuery": word}

    def found() -> list[str]:
        exchange = mailbox.call(operation, **query)
        listed: Any = exchange.json() if exchange.is_success else {"value": []}
        return [mail["Subject"] for mail in (listed["value"] if isinstance(listed, dict) else listed)]

    try:
        listed = mailbox.until("the searched mail", found)
    except Unexpected:
        listed = []
    mailbox.holds(operation, "searchQuery", listed, f"finds {hit['Subject']}", hit["Subject"] in listed)
    others = [subject for subject in listed if not subject.startswith("Searched")]
    mailbox.equal(operation, "searchQuery", others, [])


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("top", [0, 1001, "many"])
def test_top_has_bounds(mailbox: Mailbox, operation: str, top: Any) -> None:
    """`top` is a number from 1 to 1000 (inferred)."""
    exchange = mailbox.call(operation, top=top)
    mailbox.equal(operation, "top", exchange.status, 400)


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
def test_an_empty_list_is_a_list(mailbox: Mailbox, operation: str) -> None:
    """A list without a hit is empty and a success."""
    query = {"folderPath": "Drafts", "fetchOnlyUnread": False, "searchQuery": "no-mail-has-this-word-8c1d"}
    mailbox.equal(operation, "value", mails(mailbox, operation, **query), [])


def test_the_own_mailbox_may_be_named(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """`mailboxAddress` may be the own address; a mailbox that was not shared is denied (text inferred)."""
    subject = mailbox.to_self("Named")["Subject"]
    listed = subjects(mailbox, mailboxAddress=own_address)
    mailbox.holds("GetEmailsV2", "mailboxAddress", listed, f"lists {subject}", subject in listed)
    mailbox.refused("GetEmailsV2", 403, mailboxAddress=partner.address, code="ErrorAccessDenied")


def test_a_search_looks_into_one_folder(mailbox: Mailbox, own_address: str) -> None:
    """`searchQuery` finds mails of the folder alone, and of two words both must be there (as in Outlook)."""
    word = f"okapi{mailbox.marker[-8:]}"
    both = mailbox.to_self("Both", Body=f"<p>{word} runs</p>")
    moved = mailbox.ok(
        "Move", messageId=mailbox.to_self("Apart", Body=f"<p>{word} sleeps</p>")["Id"], folderPath="Archive"
    )

    def found(folder: str, text: str) -> list[str]:
        exchange = mailbox.call("GetEmailsV2", folderPath=folder, fetchOnlyUnread=False, searchQuery=text)
        return [mail["Id"] for mail in exchange.json()["value"]] if exchange.is_success else []

    for folder, text, expected in (
        ("Inbox", word, both),
        ("Archive", word, moved),
        ("Archive", f"{word} sleeps", moved),
    ):
        ids = mailbox.until("the searched mail", partial(found, folder, text))
        mailbox.equal("GetEmailsV2", "searchQuery", ids, [expected["Id"]])
    mailbox.equal("GetEmailsV2", "searchQuery", found("Archive", f"{word} runs"), [])


def test_two_address_filters_must_both_match(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A mail that matches `to` alone, or `cc` alone, is left out when both are set (documented)."""
    subject = mailbox.name("Half")
    mailbox.ok("SendEmailV2", {"To": own_address, "Cc": "Copy@example.com", "Subject": subject, "Body": "<p>x</p>"})
    mailbox.mail(subject)
    for filters, expected in (
        ({"to": own_address, "cc": "copy@example.com"}, True),
        ({"to": own_address, "cc": partner.address}, False),
        ({"to": partner.address, "cc": "copy@example.com"}, False),
        ({"to": "copy@example.com"}, False),
        ({"cc": own_address}, False),
        ({"to": f"{partner.address}; {own_address.upper()}"}, True),
        ({"toOrCc": "copy@example.com"}, True),
        ({"to": own_address, "subjectFilter": "half"}, True),
        ({"to": own_address, "from_": partner.address}, False),
    ):
        listed = subjects(mailbox, **filters)
        mailbox.equal("GetEmailsV2", ", ".join(filters), subject in listed, expected)


def test_a_search_may_name_what_it_looks_at(mailbox: Mailbox, own_address: str) -> None:
    """A search knows words, OR, NOT and properties, as the documentation of Outlook's REST API says."""
    word = f"kiwi{mailbox.marker[-8:]}"
    file = {"Name": "a.txt", "ContentBytes": "aGk="}
    first = mailbox.to_self(f"First {word} pear", Body="<p>plum</p>", Attachments=[file])
    second = mailbox.to_self(f"Second {word} fig", Body="<p>pear</p>")
    mailbox.ok("MarkAsRead", messageId=first["Id"])
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False}

    def found(text: str, **filters: Any) -> list[str]:
        exchange = mailbox.call("GetEmailsV2", **query, searchQuery=f"{word} {text}", **filters)
        return [mail["Id"] for mail in exchange.json()["value"]] if exchange.is_success else []

    both = [second["Id"], first["Id"]]
    mailbox.until("the searched mails", lambda: len(found("")) == 2)
    for text, expected in (
        ("pear", both),
        ("subject:pear", both[1:]),
        ("body:pear", both[:1]),
        ("(plum OR fig)", both),
        ("NOT plum", both[:1]),
        ("hasattachments:true", both[1:]),
        ("isread:false", both[:1]),
        (f"from:{own_address}", both),
        ("from:pear", []),
    ):
        mailbox.equal("GetEmailsV2", "searchQuery", found(text), expected, known="search-language")
    mailbox.equal("GetEmailsV2", "searchQuery", found("", fetchOnlyWithAttachment=True), both[1:])
    mailbox.equal("GetEmailsV2", "searchQuery", found("", top=1), both[:1])
    page = mailbox.ok("GetEmails", **query, searchQuery=word, top=1, skip=1)
    mailbox.equal("GetEmails", "skip", [mail["Id"] for mail in page], both[1:])


@pytest.mark.reads
def test_skip_is_not_negative(mailbox: Mailbox) -> None:
    """A negative `skip` is refused (inferred)."""
    mailbox.refused("GetEmails", 400, skip=-1, code="ErrorInvalidRequest")
