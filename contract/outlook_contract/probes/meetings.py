"""What happens between the organizer and the attendee of a meeting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlook_contract.mailbox import CALENDAR, FOLDERS, Mailbox
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import create, day, delete, event

_RESPONSES = ("Accept", "Tentatively Accept", "Decline")
_PREFIXES = {"Accept": "Accepted: ", "Tentatively Accept": "Tentative: ", "Decline": "Declined: "}
_MEMBERS = ("ResponseType", "ShowAs", "Importance", "Reminder", "ResponseRequested", "RequiredAttendees", "Organizer")


@probe(
    7,
    "meetings",
    "What does the attendee's event look like after each response, which triggers fire, and which mails arrive?",
    settles=(
        *("accepted-event", "accepted-others", "declined-event", "declined-update", "response-not-sent"),
        *("meeting-mails", "update-mail", "update-response-requested"),
    ),
    needs=(Need.ADDRESS, Need.PARTNER),
)
def meetings(run: ProbeRun) -> None:
    """Invites the second mailbox to a meeting for each response, responds, and looks at both mailboxes."""
    polls = {name: _Poll(run, name) for name in ("CalendarGetOnNewItemsV2", "CalendarGetOnChangedItemsV2")}
    events = {}
    for number, response in enumerate(_RESPONSES):
        created = create(run.mailbox, run.text(response), day(12, 8 + number), RequiredAttendees=run.partner.address)
        copy = _event(run, run.partner, response)
        run.record(f"{response}: the attendee's event", _shown(copy))
        mail = run.look_for(response, mailbox=run.partner)
        run.record(f"{response}: the invitation", _mail(mail), "meeting-mails")
        events[response] = (created, copy)
    run.record("triggers of the attendee after the invitations", {name: poll.hits() for name, poll in polls.items()})
    for response, (created, copy) in events.items():
        if copy is not None:
            run.attempt(_respond, response, created, copy)
            hits = {name: poll.hits() for name, poll in polls.items()}
            run.record(f"{response}: triggers of the attendee", hits, "accepted-event", "declined-event")
    run.attempt(_updates, events["Decline"][0])
    run.attempt(_quiet)
    run.attempt(_cancelled, events["Tentatively Accept"][0])


def _respond(run: ProbeRun, response: str, created: Mapping[str, Any], copy: Mapping[str, Any]) -> None:
    exchange = run.partner.call("RespondToEvent", {"Comment": "Hello"}, event_id=copy["Id"], response=response)
    run.respond(f"{response}: respond", exchange)
    subject = f"{_PREFIXES[response]}{run.name(response)}"
    run.record(
        f"{response}: the mail to the organizer",
        _mail(run.eventually(lambda: run.mailbox.find(subject))),
        "meeting-mails",
    )
    nested = run.mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
    answers = [attendee["Status"].get("Response") for attendee in nested["Attendees"]]
    run.record(f"{response}: the response in the organizer's event", answers)
    after = _event(run, run.partner, response, wait=response != "Decline")
    deviation = {"Accept": "accepted-event", "Decline": "declined-event"}.get(response, "accepted-others")
    seen = _shown(after)
    if after is not None:
        seen |= {
            "Id": "kept" if after["Id"] == copy["Id"] else "new",
            "DateTimeCreated": "kept" if after["DateTimeCreated"] == copy["DateTimeCreated"] else "new",
        }
    run.record(f"{response}: the attendee's event after it", seen, deviation)
    old = run.partner.call("V2CalendarGetItem", table=CALENDAR, id=copy["Id"])
    run.respond(f"{response}: the old id", old, deviation)
    folders = [name for name in FOLDERS if run.partner.find(run.name(response), name)]
    run.record(f"{response}: folders of the attendee with the invitation", folders, "meeting-mails")


def _updates(run: ProbeRun, created: Mapping[str, Any]) -> None:
    """An update after a decline, and an update without a change."""
    members: dict[str, Any] = {"RequiredAttendees": run.partner.address}
    moved = event(run.name("Decline"), day(12, 14), **members)
    run.mailbox.ok("V3CalendarPatchItem", moved, table=CALENDAR, id=created["Id"])
    run.record(
        "the event of who declined, after an update", _shown(_event(run, run.partner, "Decline")), "declined-update"
    )
    before = _number(run, run.partner, "Decline")
    run.mailbox.ok("V3CalendarPatchItem", moved, table=CALENDAR, id=created["Id"])
    run.settle(20)
    run.record("mails about an update without a change", _number(run, run.partner, "Decline") - before, "update-mail")


def _quiet(run: ProbeRun) -> None:
    """A response that is not sent, and one that nobody asked for."""
    created = create(run.mailbox, run.text("quiet"), day(12, 15), RequiredAttendees=run.partner.address)
    copy = _event(run, run.partner, "quiet")
    if copy is not None:
        body = {"SendResponse": False}
        exchange = run.partner.call("RespondToEvent", body, event_id=copy["Id"], response="Tentatively Accept")
        run.respond("respond with SendResponse false", exchange, "response-not-sent")
        run.settle(20)
        nested = run.mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
        answers = [attendee["Status"].get("Response") for attendee in nested["Attendees"]]
        run.record("the organizer's event after it", answers, "response-not-sent")
        run.record("the attendee's event after it", _shown(_event(run, run.partner, "quiet")), "response-not-sent")
    members: dict[str, Any] = {"RequiredAttendees": run.partner.address, "ResponseRequested": False}
    create(run.mailbox, run.text("unasked"), day(12, 16), **members)
    copy = _event(run, run.partner, "unasked")
    if copy is not None:
        body = event(run.name("unasked"), day(12, 16), Reminder=5)
        run.partner.call("V3CalendarPatchItem", body, table=CALENDAR, id=copy["Id"])
        after = _event(run, run.partner, "unasked")
        run.record(
            "ResponseRequested after an update by the attendee",
            after and after.get("ResponseRequested"),
            "update-response-requested",
        )
        exchange = run.partner.call("RespondToEvent", {}, event_id=copy["Id"], response="Accept")
        run.respond("respond where no response is requested", exchange)


def _cancelled(run: ProbeRun, created: Mapping[str, Any]) -> None:
    delete(run.mailbox, created)
    subject = f"Canceled: {run.name('Tentatively Accept')}"
    mail = run.eventually(lambda: run.partner.find(subject))
    run.record("the mail about a cancelled meeting", _mail(mail), "meeting-mails")
    left = _event(run, run.partner, "Tentatively Accept", wait=False)
    run.record("the attendee's event after the cancellation", _shown(left))


class _Poll:
    """Polls a trigger of the attendee's calendar."""

    def __init__(self, run: ProbeRun, operation: str) -> None:
        self._run = run
        self._location = str(run.partner.call(operation, table=CALENDAR).headers.get("location", ""))

    def hits(self) -> list[str]:
        """What fired since the last look, by subject or kind of change."""
        exchange = self._run.partner.follow(self._location)
        self._location = str(exchange.headers.get("location", self._location))
        items = exchange.json()["value"] if exchange.status == 200 else []
        hits = []
        for item in items:
            text = self._run.mine(item.get("Subject"))
            if text or item.get("ActionType") == "deleted":
                hits.append(" ".join(filter(None, (item.get("ActionType"), text))))
        return sorted(hits)


def _event(run: ProbeRun, mailbox: Mailbox, text: str, *, wait: bool = True) -> Any:
    def look() -> Any:
        items = mailbox.ok("V3CalendarGetItems", table=CALENDAR, orderby="Start/DateTime desc", top=100)["value"]
        return next((item for item in items if (item["Subject"] or "").endswith(run.name(text))), None)

    return run.eventually(look) if wait else look()


def _shown(item: Mapping[str, Any] | None) -> dict[str, Any]:
    if item is None:
        return {"in the calendar": False}
    return {"in the calendar": True, "Subject": item["Subject"], **{name: item.get(name) for name in _MEMBERS}}


def _mail(mail: Mapping[str, Any] | None) -> Any:
    names = ("Subject", "From", "To", "Body", "Importance", "HasAttachment")
    return "did not arrive" if mail is None else {name: mail.get(name) for name in names}


def _number(run: ProbeRun, mailbox: Mailbox, text: str) -> int:
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50}
    mails = mailbox.ok("GetEmailsV2", **query)["value"]
    return sum(mail["Subject"].endswith(run.name(text)) for mail in mails)
