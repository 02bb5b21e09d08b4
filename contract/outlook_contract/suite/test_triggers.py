"""Journeys of all triggers: the first poll, idle polls, hits, filters, order, and the state in `Location`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.plugin import ContractRun
from outlook_contract.suite.contacts import WHOLE_SECONDS
from outlook_contract.suite.events import change, create, day, delete, event, listed, viewed, with_subject, written
from outlook_contract.suite.polling import EVENT_TRIGGERS, MAIL_TRIGGERS, NOTIFIED, TRIGGERS, Poller

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_EVERY = pytest.mark.parametrize("operation", TRIGGERS)
_MAIL = pytest.mark.parametrize("operation", MAIL_TRIGGERS)
_BY_MAIL = ("LastReceivedMailTime", "LastCreatedMailTime", "LastMessageId", "LastInternetMessageId")
_DELETED_TEXTS = ("Start", "End", "RequiredAttendees", "OptionalAttendees", "ResourceAttendees")
_DELETED_NUMBERS = ("ShowAs", "Recurrence", "ResponseType", "Importance")
_DELETED_NULLS = ("Subject", "DateTimeCreated", "Organizer", "TimeZone", "Body", "Location", "IsAllDay", "Reminder")
_CHANGED = pytest.mark.parametrize("operation", ["CalendarGetOnChangedItems", "CalendarGetOnChangedItemsV2"])

Create = Callable[..., Any]
Fire = Callable[[str], str]
"""Does what a trigger fires for, and returns the subject of the item."""


@pytest.fixture
def create_for_now(mailbox: Mailbox) -> Iterator[Create]:
    """Creates events that are deleted after the check, since other checks must not see what is upcoming."""
    events = []

    def remembered(text: str, start: datetime, **members: Any) -> Any:
        events.append(create(mailbox, text, start, **members))
        return events[-1]

    yield remembered
    for item in events:
        delete(mailbox, item)


@pytest.fixture
def fire(contract: ContractRun, mailbox: Mailbox, create_for_now: Create, request: pytest.FixtureRequest) -> Fire:
    """Fires a trigger, by its operation."""

    def mail(operation: str) -> str:
        address = request.getfixturevalue("own_address")
        name = f"Hit {operation}"
        mention = f'<p><a href="mailto:{address}">@{address}</a> please look</p>'
        mailbox.ok("SendEmailV2", {"To": address, "Subject": mailbox.name(name), "Body": mention})
        if "Flagged" in operation:
            mailbox.ok("Flag", messageId=mailbox.mail(mailbox.name(name))["Id"])
        return name

    def event(operation: str) -> str:
        name = f"Hit {operation}"
        start = contract.now() + timedelta(minutes=20) if "Upcoming" in operation else day(1)
        created = create_for_now(name, start)
        if "Updated" in operation:
            change(mailbox, created, Location="Hall")
        return name

    return lambda operation: mail(operation) if operation in MAIL_TRIGGERS else event(operation)


# --- Every trigger ---


@pytest.mark.reads
@_EVERY
def test_a_first_poll_fires_for_nothing(mailbox: Mailbox, operation: str) -> None:
    """A first poll is an empty 202 with a URL that holds the state. Recorded from the Office 365 twin."""
    poller = Poller(mailbox, operation)
    mailbox.equal(operation, "status", poller.status, 202)
    mailbox.equal(operation, "body", poller.last.body, b"")
    mailbox.holds(operation, "Location", poller.location, f"{poller.state_name}=…", bool(poller.state))


@_EVERY
def test_a_trigger_fires_once(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """What happens after the first poll is in the next one, and in none after it; an earlier poll can be repeated."""
    poller = Poller(mailbox, operation)
    name = fire(operation)
    before = poller.location
    items = poller.wait()
    mailbox.equal(operation, "value[].Subject", poller.subjects(items), [name])
    mailbox.equal(operation, "value", poller.subjects(), [])
    again = poller.poll(before)
    mailbox.equal(operation, "value[].Id", [item["Id"] for item in again], [item["Id"] for item in items])


@_EVERY
def test_two_pollers_do_not_disturb_each_other(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """The state is in `Location` alone: each of two pollers has the item, and one that starts later has not."""
    first, second = Poller(mailbox, operation), Poller(mailbox, operation)
    name = fire(operation)
    mailbox.equal(operation, "value[].Subject", first.subjects(first.wait()), [name])
    mailbox.equal(operation, "value[].Subject", second.subjects(second.wait()), [name])
    if "Upcoming" not in operation:
        # An event within the look-ahead is upcoming for whoever starts before it does.
        late = Poller(mailbox, operation)
        mailbox.equal(operation, "status", late.status, 202)
        mailbox.equal(operation, "value", late.subjects(), [])


@_EVERY
def test_retry_after_says_when_to_poll(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """Triggers that can be subscribed to name an hour, others 15 seconds without items and 60 after them.

    Recorded from the Office 365 twin for a 200 of two triggers and the first 202 of another; else inferred.
    """
    poller = Poller(mailbox, operation)
    mailbox.equal(operation, "Retry-After", poller.retry_after, "3600" if operation in NOTIFIED else "15")
    fire(operation)
    waits: list[str] = []
    mailbox.until(f"An item of {operation}", lambda: _notes_wait(poller, waits))
    expected = "3600" if operation in NOTIFIED else "60"
    # A mailbox in use may have more waiting.
    mailbox.holds(operation, "Retry-After", waits[-1], f"{expected}, or 0 for more", waits[-1] in {expected, "0"})


@pytest.mark.reads
@_EVERY
def test_location_holds_the_query_and_the_state(mailbox: Mailbox, operation: str) -> None:
    """`Location` repeats the query as it came and adds the state, however often one polls.

    Recorded from the Office 365 twin: pnp/cli-microsoft365, the output of a trigger.
    """
    first = Poller(mailbox, operation)
    # Others than the declared parameters show best that the query is repeated.
    query = "other=a%2fb%2Fc&flag=%41"
    path, _, own = first.location.partition("?")
    own = own.partition(f"{first.state_name}=")[0].rstrip("&")
    query = f"{own}&{query}" if own else query
    location = f"{path}?{query}"
    for _ in range(2):
        exchange = mailbox.follow(location)
        location = str(exchange.headers.get("location", ""))
        before = location.partition("?")[2].partition(f"&{first.state_name}=")[0]
        mailbox.equal(operation, "Location", before, query)


@pytest.mark.reads
@_EVERY
def test_a_state_in_the_wrong_form_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A state that the trigger did not give is refused. Inferred: no source shows it."""
    poller = Poller(mailbox, operation)
    start = poller.location.partition(f"{poller.state_name}=")[0]
    for broken in ("nonsense", base64.b64encode(b"{}").decode()):
        answer = mailbox.follow(f"{start}{poller.state_name}={broken}")
        mailbox.equal(operation, "status", answer.status, 400, known="state-of-triggers")


@pytest.mark.reads
@_EVERY
def test_an_unknown_folder_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A folder or calendar that the mailbox lacks is not found. Inferred: the code is Exchange's own."""
    place = {"folderPath": "Nowhere"} if operation in MAIL_TRIGGERS else {"table": "Nowhere"}
    mailbox.refused(operation, 404, **{**TRIGGERS[operation], **place}, code="ErrorFolderNotFound")


# --- Mail ---


@pytest.mark.reads
@_MAIL
def test_the_state_of_a_mail_trigger_has_the_recorded_members(mailbox: Mailbox, operation: str) -> None:
    """The state is base64 of JSON with four members. Recorded from the Office 365 twin: pnp/cli-microsoft365.

    The time of the poll has whole seconds. That of the last mail stays while none comes, and no mail is null at first.
    """
    poller = Poller(mailbox, operation)
    first = poller.mail_state
    mailbox.equal(operation, "LastPollInformation", list(first), list(_BY_MAIL))
    polled = first["LastCreatedMailTime"]
    mailbox.holds(
        operation, "LastPollInformation", polled, "whole seconds", WHOLE_SECONDS.fullmatch(polled) is not None
    )
    mailbox.members(operation, "LastPollInformation", first, dict.fromkeys(_BY_MAIL[2:]))
    poller.poll()
    if poller.status == 202:
        kept = {"LastReceivedMailTime": first["LastReceivedMailTime"]}
        mailbox.members(operation, "LastPollInformation", poller.mail_state, kept)


@_MAIL
def test_the_state_names_the_last_mail(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """After a hit, the state names the mail by both of its ids. Recorded from the twin: pnp/cli-microsoft365."""
    poller = Poller(mailbox, operation)
    fire(operation)
    last = poller.wait()[-1]
    state = poller.mail_state
    mailbox.equal(operation, "LastPollInformation", state["LastMessageId"], last["Id"])
    mailbox.equal(operation, "LastPollInformation", state["LastInternetMessageId"], last["InternetMessageId"])


@pytest.mark.parametrize("operation", ["OnNewEmail", "OnNewEmailV2"])
def test_filters_of_new_mail(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Each filter leaves only mails that match; two of them mean both. Vendor's page of the twin for To and Cc."""
    file = {"Name": "a.txt", "ContentBytes": base64.b64encode(b"text").decode()}
    filters: dict[str, dict[str, Any]] = {
        "subjectFilter": {"subjectFilter": "pear"},
        "importance": {"importance": "High"},
        "fetchOnlyWithAttachment": {"fetchOnlyWithAttachment": True},
        "to": {"to": own_address},
        "cc": {"cc": own_address},
        "toOrCc": {"toOrCc": own_address},
        "from": {"from_": "nobody@example.org"},
    }
    pollers = {name: Poller(mailbox, operation, **query) for name, query in filters.items()}
    both = Poller(mailbox, operation, subjectFilter="pear", importance="High")
    for name, more in (("An apple", {"Attachments": [file]}), ("A pear", {"Importance": "High"}), ("Two pear", {})):
        mailbox.ok("SendEmailV2", {"To": own_address, "Subject": mailbox.name(name), "Body": "<p>x</p>", **more})
    # Whether somebody has read a mail meanwhile does not matter.
    mailbox.ok("MarkAsRead", messageId=mailbox.mail(mailbox.name("Two pear"))["Id"])
    everything = ["A pear", "An apple", "Two pear"]
    expected = {
        "subjectFilter": ["A pear", "Two pear"],
        "importance": ["A pear"],
        "fetchOnlyWithAttachment": ["An apple"],
        "to": everything,
        "cc": [],
        "toOrCc": everything,
        "from": [],
    }
    for name, poller in pollers.items():
        items = poller.wait(len(expected[name])) if expected[name] else poller.polled()
        mailbox.equal(operation, name, sorted(poller.subjects(items)), expected[name])
    mailbox.equal(operation, "importance", both.subjects(both.wait()), ["A pear"])


@pytest.mark.parametrize("operation", ["OnNewEmail", "OnNewEmailV2"])
def test_new_mail_of_another_folder_does_not_fire(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """A trigger on one folder ignores mail of another, and an older mail that is moved in."""
    before = mailbox.to_self(f"Old {operation}")
    poller = Poller(mailbox, operation, folderPath="Archive")
    mailbox.to_self(f"Elsewhere {operation}")
    mailbox.ok("Move", messageId=before["Id"], folderPath="Archive")
    mailbox.equal(operation, "value", poller.subjects(), [])


def test_a_flag_fires_and_a_read_mark_does_not(mailbox: Mailbox, own_address: str) -> None:
    """Only flagged mail fires: a new mail and one that is marked as read do not."""
    poller = Poller(mailbox, "OnFlaggedEmailV2")
    mail = mailbox.to_self("Flag me")
    mailbox.ok("MarkAsRead", messageId=mail["Id"])
    mailbox.equal("OnFlaggedEmailV2", "value", poller.subjects(), [])
    mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.equal("OnFlaggedEmailV2", "value[].Subject", poller.subjects(poller.wait()), ["Flag me"])


def test_a_mail_without_a_mention_does_not_fire(mailbox: Mailbox, own_address: str) -> None:
    """A mail that names the owner without an @ is no mention. Inferred: no source shows how mentions are detected."""
    poller = Poller(mailbox, "OnNewMentionMeEmailV2")
    mailbox.to_self("No mention", Body=f"<p>Write to {own_address}</p>")
    mailbox.equal("OnNewMentionMeEmailV2", "value", poller.subjects(), [], known="mentions")


@pytest.mark.parametrize("operation", ["OnNewMentionMeEmail", "OnNewMentionMeEmailV2"])
def test_a_first_poll_may_fire_for_a_named_mail(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """`messageIdToFireOnFirstTriggerRun` makes the first poll fire for that mail, once."""
    mail = mailbox.to_self(f"Named {operation}")
    poller = Poller(mailbox, operation, messageIdToFireOnFirstTriggerRun=mail["Id"])
    mailbox.equal(operation, "status", poller.status, 200)
    items = poller.last.json()["value"] if poller.status == 200 else []
    mailbox.equal(operation, "messageIdToFireOnFirstTriggerRun", [item["Id"] for item in items], [mail["Id"]])
    mailbox.equal(operation, "value", poller.subjects(), [])


@pytest.mark.parametrize("operation", ["OnNewEmail", "OnNewEmailV2"])
def test_attachments_come_on_request(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Contents of attachments are in the item only with includeAttachments; names are in it anyway."""
    plain, whole = Poller(mailbox, operation), Poller(mailbox, operation, includeAttachments=True)
    content = base64.b64encode(b"text").decode()
    mailbox.to_self(f"File {operation}", Attachments=[{"Name": "a.txt", "ContentBytes": content}])
    for poller, expected in ((plain, None), (whole, content)):
        (file,) = poller.wait()[0]["Attachments"]
        mailbox.members(operation, "value[].Attachments[]", file, {"Name": "a.txt", "ContentBytes": expected})


# --- Events ---


@pytest.mark.parametrize("operation", [name for name in EVENT_TRIGGERS if "New" in name])
def test_new_events_come_in_order_and_batches(mailbox: Mailbox, operation: str) -> None:
    """`$top` makes batches, of which each but the last says that more is waiting; `$filter` leaves what matches."""
    poller = Poller(mailbox, operation, top=2)
    filtered = Poller(mailbox, operation, filter="startswith(Subject,'Batch b')")
    for name in ("Batch c", "Batch a", "Batch b"):
        create(mailbox, name, day(1))
    start = poller.poll()
    mailbox.holds(operation, "$top", len(start), "at most 2", len(start) <= 2)
    rest = poller.wait(3 - len(start))
    mailbox.equal(operation, "value[].Subject", poller.subjects(start + rest), ["Batch c", "Batch a", "Batch b"])
    mailbox.equal(operation, "$filter", filtered.subjects(filtered.wait()), ["Batch b"])


def test_new_and_updated_events_are_different(mailbox: Mailbox) -> None:
    """A new event fires the one trigger and its change the other; a deletion fires neither."""
    new, updated = Poller(mailbox, "CalendarGetOnNewItemsV2"), Poller(mailbox, "CalendarGetOnUpdatedItemsV2")
    created = create(mailbox, "Young")
    mailbox.equal("CalendarGetOnNewItemsV2", "value[].Subject", new.subjects(new.wait()), ["Young"])
    mailbox.equal("CalendarGetOnUpdatedItemsV2", "value", updated.subjects(), [])
    mailbox.ok("V3CalendarPatchItem", event(mailbox.name("Old"), day(1)), table=CALENDAR, id=created["Id"])
    mailbox.equal("CalendarGetOnNewItemsV2", "value", new.subjects(), [])
    mailbox.equal("CalendarGetOnUpdatedItemsV2", "value[].Subject", updated.subjects(updated.wait()), ["Old"])
    delete(mailbox, created)
    mailbox.equal("CalendarGetOnNewItemsV2", "value", new.subjects(), [])
    mailbox.equal("CalendarGetOnUpdatedItemsV2", "value", updated.subjects(), [])


@_CHANGED
def test_changed_events_say_what_happened(mailbox: Mailbox, operation: str) -> None:
    """An event is added, then updated; a deleted one has its id alone.

    Recorded from the Office 365 twin: the output of the trigger in a public file of 2019.
    """
    poller = Poller(mailbox, operation)
    created = create(mailbox, f"Changing {operation}")
    (item,) = poller.wait()
    mailbox.members(operation, "value[]", item, {"ActionType": "added", "IsAdded": True, "IsUpdated": False})
    change(mailbox, created, Location="Hall")
    (item,) = poller.wait()
    mailbox.members(operation, "value[]", item, {"ActionType": "updated", "IsAdded": False, "IsUpdated": True})
    delete(mailbox, created)
    # A deleted event has no subject that could tell whose it is.
    item = mailbox.until("The deleted event", lambda: _with_id(poller, created["Id"]))
    mailbox.members(operation, "value[]", item, {"ActionType": "deleted", "IsHtml": False})
    mailbox.members(operation, "value[]", item, dict.fromkeys(_DELETED_TEXTS, ""))
    mailbox.members(operation, "value[]", item, dict.fromkeys(_DELETED_NUMBERS, 0))
    mailbox.members(operation, "value[]", item, dict.fromkeys(_DELETED_NULLS))


@_CHANGED
def test_an_event_that_leaves_the_window_is_deleted(mailbox: Mailbox, operation: str) -> None:
    """An event that a change moves out of the window counts as deleted. Documented for the Office 365 twin."""
    poller = Poller(mailbox, operation, incomingDays=30, pastDays=1)
    far = create(mailbox, f"Far {operation}", day(90))
    near = create(mailbox, f"Near {operation}", day(3))
    mailbox.equal(operation, "value[].Id", [item["Id"] for item in poller.wait()], [near["Id"]])
    body = event(near["Subject"], day(90))
    mailbox.ok("V3CalendarPatchItem", body, table=CALENDAR, id=near["Id"])
    item = mailbox.until("The event that left", lambda: _with_id(poller, near["Id"]))
    mailbox.equal(operation, "value[].ActionType", item["ActionType"], "deleted")
    mailbox.ok("V3CalendarPatchItem", event(far["Subject"], day(4)), table=CALENDAR, id=far["Id"])
    (item,) = poller.wait()
    mailbox.members(operation, "value[]", item, {"ActionType": "added", "Id": far["Id"]})


@_CHANGED
def test_changed_events_are_occurrences(mailbox: Mailbox, operation: str) -> None:
    """A series fires once for each occurrence. Documented for the Office 365 twin.

    What an added occurrence has of its series was recorded in 2019: the output of the trigger in a public file.
    """
    poller = Poller(mailbox, operation)
    series = create(mailbox, f"Series {operation}", day(1), Recurrence="Daily", RecurrenceEnd=written(day(3, 0)))
    items = poller.wait(3)
    expected = {"Recurrence": 1, "RecurrenceEnd": f"{day(3):%Y-%m-%d}T00:00:00+00:00", "NumberOfOccurrences": None}
    for item in items:
        mailbox.members(operation, "value[]", item, {**expected, "DateTimeLastModified": None})
    masters = [item["SeriesMasterId"] for item in items]
    mailbox.equal(operation, "value[].SeriesMasterId", masters, [series["Id"]] * 3)
    mailbox.equal(operation, "value[].Id", len({item["Id"] for item in items}), 3)
    first, second, _ = items
    mailbox.ok("V3CalendarPatchItem", event(first["Subject"], day(1, 13)), table=CALENDAR, id=first["Id"])
    delete(mailbox, second)
    poller.poll()
    changed = {item["Id"]: item["ActionType"] for item in poller.last.json()["value"]}
    seen = {id: action for id, action in changed.items() if id in {item["Id"] for item in items}}
    mailbox.equal(operation, "value[].ActionType", seen, {first["Id"]: "updated", second["Id"]: "deleted"})


@pytest.mark.reads
@_CHANGED
def test_a_window_without_sense_is_refused(mailbox: Mailbox, operation: str) -> None:
    """Days are not negative and not without bounds. Inferred."""
    mailbox.refused(operation, 400, table=CALENDAR, incomingDays=-1)
    mailbox.refused(operation, 400, table=CALENDAR, pastDays=99999)


@pytest.mark.parametrize("operation", ["OnUpcomingEvents", "OnUpcomingEventsV2"])
def test_upcoming_events_are_within_the_look_ahead(
    contract: ContractRun, mailbox: Mailbox, create_for_now: Create, operation: str
) -> None:
    """An event in the look-ahead fires, a later one and one that has begun do not."""
    poller = Poller(mailbox, operation, lookAheadTimeInMinutes=30)
    now = contract.now()
    for name, minutes in (("Begun", -15), ("Soon", 20), ("Later", 90)):
        create_for_now(f"{name} {operation}", now + timedelta(minutes=minutes))
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait()), [f"Soon {operation}"])
    mailbox.refused(operation, 400, table=CALENDAR, lookAheadTimeInMinutes=0)


@pytest.mark.parametrize("operation", ["OnUpcomingEvents", "OnUpcomingEventsV2"])
def test_an_event_is_upcoming_once_its_time_has_come(
    contract: ContractRun, mailbox: Mailbox, emulator: Sandbox, create_for_now: Create, operation: str
) -> None:
    """An event fires when the look-ahead reaches its start, to the second, and only once, however late a poll comes."""
    emulator.clock.freeze()
    poller = Poller(mailbox, operation, lookAheadTimeInMinutes=30)
    start = contract.now().replace(microsecond=0) + timedelta(minutes=45)
    create_for_now(f"Clock {operation}", start)
    emulator.clock.set(start - timedelta(minutes=30, seconds=1))
    mailbox.equal(operation, "value", poller.subjects(), [])
    emulator.clock.advance(1)
    mailbox.equal(operation, "value[].Subject", poller.subjects(), [f"Clock {operation}"])
    create_for_now(f"Between {operation}", start + timedelta(minutes=30))
    emulator.clock.advance("3h")
    # It began between two polls.
    mailbox.equal(operation, "value[].Subject", poller.subjects(), [f"Between {operation}"])
    mailbox.equal(operation, "value", poller.subjects(), [])


@pytest.mark.parametrize("operation", ["OnUpcomingEvents", "OnUpcomingEventsV2"])
def test_an_occurrence_is_upcoming(
    contract: ContractRun, mailbox: Mailbox, create_for_now: Create, operation: str
) -> None:
    """An occurrence of a series fires as an event does, and none that is later."""
    poller = Poller(mailbox, operation, lookAheadTimeInMinutes=60)
    start = contract.now() + timedelta(minutes=30)
    series = create_for_now(f"Each day {operation}", start, Recurrence="Daily", NumberOfOccurrences=3)
    (item,) = poller.wait()
    mailbox.members(operation, "value[]", item, {"SeriesMasterId": series["Id"], "Subject": series["Subject"]})


@pytest.mark.parametrize("operation", ["OnNewEmail", "OnNewEmailV2"])
def test_many_mails_come_in_batches(mailbox: Mailbox, own_address: str, emulator: Sandbox, operation: str) -> None:
    """Of 60 mails, a poll returns 50 and says that more is waiting; none is lost. The number is inferred."""
    poller = Poller(mailbox, operation)
    connection = emulator.connection({"id": mailbox.url.rpartition("/")[2], "address": own_address})
    names = [f"Batch {number} {operation}" for number in range(60)]
    for name in names:
        connection.deliver(subject=mailbox.name(name))
    first = poller.poll()
    mailbox.equal(operation, "value", len(first), 50)
    mailbox.equal(operation, "Retry-After", poller.retry_after, "0")
    mailbox.equal(operation, "value[].Subject", poller.subjects(first + poller.polled()), names)


def test_a_mail_that_is_moved_in_must_be_newer(mailbox: Mailbox, own_address: str, emulator: Sandbox) -> None:
    """Of two mails, the later one moved first fires, then the earlier one does not. Vendor's page of the twin."""
    poller = Poller(mailbox, "OnNewEmailV2", folderPath="Archive")
    mails = []
    for name in ("Earlier", "Later"):
        emulator.clock.advance("1m")
        mails.append(mailbox.to_self(f"{name} moved"))
    earlier, later = mails
    mailbox.ok("Move", messageId=later["Id"], folderPath="Archive")
    mailbox.equal("OnNewEmailV2", "value[].Subject", poller.subjects(), ["Later moved"])
    mailbox.ok("Move", messageId=earlier["Id"], folderPath="Archive")
    mailbox.equal("OnNewEmailV2", "value", poller.subjects(), [])


def _with_id(poller: Poller, id: str) -> Any:
    poller.poll()
    items = poller.last.json()["value"] if poller.status == 200 else []
    return next((item for item in items if item["Id"] == id), None)


def _notes_wait(poller: Poller, waits: list[str]) -> bool:
    items = poller.poll()
    waits.append(poller.retry_after)
    return bool(items)


@_MAIL
def test_a_state_of_another_trigger_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A state is of one kind of trigger; another kind refuses it. Inferred: no source shows it."""
    poller = Poller(mailbox, operation)
    other = Poller(mailbox, "OnNewMentionMeEmailV2" if "Flagged" in operation else "OnFlaggedEmailV2")
    start = poller.location.partition(f"{poller.state_name}=")[0]
    answer = mailbox.follow(start + other.location[other.location.index(f"{other.state_name}=") :])
    mailbox.equal(operation, "status", answer.status, 400, known="state-of-triggers")


@pytest.mark.parametrize("operation", ["OnFlaggedEmail", "OnFlaggedEmailV2"])
def test_a_flag_that_is_there_already_fires_nothing(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Flagging a flagged mail changes nothing; any other change to it fires again (documented)."""
    poller = Poller(mailbox, operation)
    mail = mailbox.to_self(f"Twice {operation}")
    mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait()), [f"Twice {operation}"])
    mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.equal(operation, "value", poller.subjects(), [])
    mailbox.ok("MarkAsRead", messageId=mail["Id"])
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait()), [f"Twice {operation}"])


@pytest.mark.parametrize("operation", ["OnFlaggedEmail", "OnFlaggedEmailV2"])
def test_a_flagged_mail_that_changes_twice_is_one_item(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Between two polls, changes of one mail are one item; a reply to it is a change as well (documented)."""
    poller = Poller(mailbox, operation)
    mail = mailbox.to_self(f"Two changes {operation}")
    mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.ok("MarkAsRead", messageId=mail["Id"])
    mailbox.equal(operation, "value[].Id", [item["Id"] for item in poller.wait()], [mail["Id"]])
    mailbox.ok("ReplyToV3", {"Body": "x"}, messageId=mail["Id"])
    mailbox.equal(operation, "value[].Id", [item["Id"] for item in poller.wait()], [mail["Id"]])


@pytest.mark.parametrize(
    "operation", ["OnFlaggedEmail", "OnFlaggedEmailV2", "OnNewMentionMeEmail", "OnNewMentionMeEmailV2"]
)
def test_every_mail_trigger_filters(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Triggers for flagged mail and for mentions have the filters of the one for new mail."""
    poller = Poller(mailbox, operation, subjectFilter="pear", importance="Low", to=own_address)
    mention = f'<p><a href="mailto:{own_address}">@{own_address}</a> please look</p>'
    for name, importance in (("A pear", "Low"), ("Two pear", "High"), ("Normal pear", "Normal"), ("An apple", "Low")):
        mail = mailbox.to_self(f"{name} {operation}", Importance=importance, Body=mention)
        if "Flagged" in operation:
            mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait()), [f"A pear {operation}"])


def test_a_mail_above_the_limit_does_not_fire(mailbox: Mailbox, own_address: str, emulator: Sandbox) -> None:
    """A mail that is larger than the connector's limit is skipped (documented for 50 MB)."""
    poller = Poller(mailbox, "OnNewEmailV2")
    mailbox.to_self("Large", Body=f"<p>{'x' * 2000}</p>")
    mailbox.to_self("Small")
    emulator.limits(mailBytes=1000)
    mailbox.equal("OnNewEmailV2", "value[].Subject", poller.subjects(), ["Small"])


@pytest.mark.parametrize("operation", ["OnNewEmailV2", "CalendarGetOnNewItemsV2"])
def test_a_state_under_another_name_is_none(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """The name of the state has a case: with another one, a poll is a first one. Notes from live use of a trigger."""
    poller = Poller(mailbox, operation)
    fire(operation)
    name = poller.state_name
    answer = mailbox.follow(poller.location.replace(f"{name}=", f"{name.swapcase()}="))
    mailbox.equal(operation, name, answer.status, 202)


@pytest.mark.parametrize("operation", ["OnNewEmailV2", "CalendarGetOnNewItemsV2"])
def test_a_state_belongs_to_one_mailbox(mailbox: Mailbox, partner: Mailbox, operation: str) -> None:
    """Another mailbox refuses the state. Inferred: no source shows it."""
    below = Poller(mailbox, operation).location.partition(mailbox.url)[2]
    answer = partner.follow(partner.url + below)
    mailbox.equal(operation, "status", answer.status, 400, known="state-of-triggers")


@pytest.mark.parametrize("operation", ["OnFlaggedEmail", "OnFlaggedEmailV2"])
def test_a_flagged_mail_that_is_moved_in_fires(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """A mail that arrives in a folder with its flag fires there (documented)."""
    poller = Poller(mailbox, operation, folderPath="Archive")
    mail = mailbox.to_self(f"Moved flag {operation}")
    mailbox.ok("Flag", messageId=mail["Id"])
    mailbox.equal(operation, "folderPath", poller.subjects(), [])
    mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait()), [f"Moved flag {operation}"])


@pytest.mark.parametrize("operation", ["OnNewMentionMeEmail", "OnNewMentionMeEmailV2"])
def test_a_mention_counts_in_any_folder(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Without folderPath, the copy in Sent Items fires as well as the mail in the Inbox (definition: no default)."""
    poller = Poller(mailbox, operation, folderPath=None)
    mention = f'<p><a href="mailto:{own_address}">@{own_address}</a> please look</p>'
    mailbox.to_self(f"Anywhere {operation}", Body=mention)
    mailbox.equal(operation, "value[].Subject", poller.subjects(poller.wait(2)), [f"Anywhere {operation}"] * 2)


@pytest.mark.parametrize(
    ("operation", "path"), [("OnNewEmail", "/Mail/OnNewEmail"), ("OnNewEmailV2", "/v2/Mail/OnNewEmail")]
)
def test_a_test_run_has_the_newest_mail(mailbox: Mailbox, own_address: str, operation: str, path: str) -> None:
    """With the header of a designer's test run, a first poll fires for the newest mail. Definition of the twin."""
    mail = mailbox.to_self(f"Simulated {operation}")
    mailbox.ok("MarkAsRead", messageId=mail["Id"])
    exchange = mailbox.raw("GET", path, headers={"x-ms-operation-context": "simulate"})
    mailbox.equal(operation, "status", exchange.status, 200)
    ids = [item["Id"] for item in exchange.json()["value"]] if exchange.status == 200 else []
    mailbox.equal(operation, "x-ms-operation-context", ids, [mail["Id"]])


@_CHANGED
def test_a_window_is_counted_from_now(contract: ContractRun, mailbox: Mailbox, operation: str) -> None:
    """The window begins pastDays before the poll and ends incomingDays after it, to the hour."""
    poller = Poller(mailbox, operation, incomingDays=3, pastDays=2)
    now, hour = contract.now().replace(second=0, microsecond=0), timedelta(hours=1)
    starts = {
        "too old": now - timedelta(days=2) - hour,
        "old": now - timedelta(days=2) + hour,
        "ahead": now + timedelta(days=3) - hour,
        "too far": now + timedelta(days=3) + hour,
    }
    for name, start in starts.items():
        create(mailbox, f"Window {name} {operation}", start)
    seen = poller.subjects(poller.wait(2))
    mailbox.equal(operation, "window", seen, [f"Window {name} {operation}" for name in ("old", "ahead")])


@pytest.mark.parametrize("operation", ["OnUpcomingEvents", "OnUpcomingEventsV2"])
def test_an_event_may_be_added_late(
    contract: ContractRun, mailbox: Mailbox, create_for_now: Create, operation: str
) -> None:
    """An event that is added within the look-ahead fires, one that is moved there too; the earliest comes first."""
    poller = Poller(mailbox, operation, lookAheadTimeInMinutes=60)
    mailbox.equal(operation, "value", poller.subjects(), [])
    now = contract.now()
    far = create_for_now(f"Moved {operation}", now + timedelta(days=3))
    added = create_for_now(f"Added {operation}", now + timedelta(minutes=40))
    body = event(far["Subject"], now + timedelta(minutes=20))
    mailbox.ok("V3CalendarPatchItem", body, table=CALENDAR, id=far["Id"])
    seen = poller.subjects(poller.wait(2))
    mailbox.equal(operation, "value[].Subject", seen, [f"Moved {operation}", f"Added {operation}"])
    mailbox.equal(operation, "value", poller.subjects(), [])
    # At the same time, an event that changes is the same upcoming one (inferred).
    change(mailbox, added, Location="Hall")
    mailbox.equal(operation, "value", poller.subjects(), [])


@pytest.mark.parametrize("operation", ["OnUpcomingEvents", "OnUpcomingEventsV2"])
def test_a_cancelled_event_is_not_upcoming(
    contract: ContractRun, mailbox: Mailbox, partner: Mailbox, own_address: str, operation: str
) -> None:
    """A meeting that was cancelled before it comes near does not fire (inferred)."""
    poller = Poller(mailbox, operation, lookAheadTimeInMinutes=60)
    start = contract.now() + timedelta(minutes=30)
    meeting = create(partner, f"Cancelled {operation}", start, RequiredAttendees=own_address)
    with_subject(mailbox, meeting["Subject"])
    delete(partner, meeting)
    copy = with_subject(mailbox, f"Canceled: {meeting['Subject']}")
    mailbox.equal(operation, "value", poller.subjects(), [])
    delete(mailbox, copy)


def test_a_changed_occurrence_is_an_update(mailbox: Mailbox) -> None:
    """A changed occurrence fires the trigger for updates, as an item of its own, and not the one for new events."""
    series = create(mailbox, "Occurring", day(76), Recurrence="Daily", NumberOfOccurrences=2)
    new, updated = Poller(mailbox, "CalendarGetOnNewItemsV2"), Poller(mailbox, "CalendarGetOnUpdatedItemsV2")
    first = next(item for item in viewed(mailbox, day(76, 0), day(78, 0)) if item["SeriesMasterId"] == series["Id"])
    mailbox.ok("V3CalendarPatchItem", event(mailbox.name("Special"), day(76, 13)), table=CALENDAR, id=first["Id"])
    (item,) = updated.wait()
    mailbox.members("CalendarGetOnUpdatedItemsV2", "value[]", item, {"Id": first["Id"], "SeriesMasterId": series["Id"]})
    mailbox.equal("CalendarGetOnNewItemsV2", "value", new.subjects(), [])


@pytest.mark.parametrize("operation", [name for name in EVENT_TRIGGERS if "New" in name or "Updated" in name])
def test_the_items_of_a_poll_are_ordered(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """`$orderby` orders the items of one poll, `$filter` leaves those that match."""
    poller = Poller(mailbox, operation, orderby="Start desc", filter="startswith(Subject,'Sorted')")
    for name, ahead in (("Sorted b", 2), ("Other", 2), ("Sorted c", 3), ("Sorted a", 1)):
        created = create(mailbox, name, day(ahead))
        if "Updated" in operation:
            change(mailbox, created, Location="Hall")
    mailbox.equal(operation, "$orderby", poller.subjects(poller.wait(3)), ["Sorted c", "Sorted b", "Sorted a"])


@_CHANGED
def test_an_event_that_changes_twice_is_one_item(mailbox: Mailbox, operation: str) -> None:
    """Between two polls, changes of one event are one item as it is now; an event created and deleted is none."""
    poller = Poller(mailbox, operation)
    created = create(mailbox, f"Twice {operation}")
    change(mailbox, created, Location="Hall")
    delete(mailbox, create(mailbox, f"Brief {operation}"))
    (item,) = poller.wait()
    mailbox.members(operation, "value[]", item, {"ActionType": "added", "Location": "Hall", "Id": created["Id"]})


@_EVERY
def test_an_item_is_as_a_read_shows_it(mailbox: Mailbox, operation: str, fire: Fire) -> None:
    """The item of a trigger has the members that a read of the mail or event has."""
    poller = Poller(mailbox, operation)
    fire(operation)
    (item,) = poller.wait()
    if operation in MAIL_TRIGGERS:
        read = mailbox.ok("GetEmail", messageId=item["Id"])
    elif "Start" in item and "StartTimeZone" in item:
        read = mailbox.ok("CalendarGetItem", table=CALENDAR, id=item["Id"])
    else:
        read = next(event for event in listed(mailbox) if event["Id"] == item["Id"])
    mailbox.members(operation, "value[]", item, read)


@pytest.mark.reads
@_EVERY
def test_the_state_is_escaped(mailbox: Mailbox, operation: str) -> None:
    """In `Location` the state has its special characters escaped, in lower case. Recorded from the twin."""
    poller = Poller(mailbox, operation)
    state = poller.location.partition(f"{poller.state_name}=")[2]
    is_escaped = not set("+/=:") & set(state) and all(part[:2] == part[:2].lower() for part in state.split("%")[1:])
    mailbox.holds(operation, "Location", state, "escapes in lower case", is_escaped)
