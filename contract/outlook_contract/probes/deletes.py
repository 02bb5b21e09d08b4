"""What deleting and moving do to items and their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, CONTACTS, FOLDERS
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import create

_SHORTER = 20
"""How many characters a cut id lacks."""


@probe(
    6,
    "deleted-items",
    "Where is a deleted mail, and what does deleting it again answer? And a deleted event or contact?",
    settles=("deleted-mail", "text-gone-mail"),
    needs=(Need.ADDRESS,),
)
def deleted_items(run: ProbeRun) -> None:
    """Deletes a mail, an event and a contact, each twice."""
    mail = run.to_self("mail")
    run.respond("delete a mail", run.mailbox.call("DeleteEmail", messageId=mail["Id"]))
    run.settle(5)
    run.record("folders with the mail after it", _folders(run, "mail"), "deleted-mail")
    run.respond("read the deleted mail by its id", run.mailbox.call("GetEmail", messageId=mail["Id"]), "text-gone-mail")
    run.respond("delete the same id again", run.mailbox.call("DeleteEmail", messageId=mail["Id"]), "text-gone-mail")
    copy = run.mailbox.find(run.name("mail"), "DeletedItems")
    if copy is not None:
        run.respond("delete the copy in Deleted Items", run.mailbox.call("DeleteEmail", messageId=copy["Id"]))
        run.settle(5)
        run.record("folders with the mail after that", _folders(run, "mail"), "deleted-mail")
    event = {"table": CALENDAR, "id": create(run.mailbox, run.text("event"))["Id"]}
    contact = run.mailbox.ok("ContactPostItem", {"GivenName": run.name("contact"), "HomePhones": []}, table=CONTACTS)
    _twice(run, "an event", "CalendarDeleteItem", "V2CalendarGetItem", event)
    _twice(run, "a contact", "ContactDeleteItem", "ContactGetItem", {"table": CONTACTS, "id": contact["Id"]})


def _twice(run: ProbeRun, about: str, delete: str, read: str, place: dict[str, str]) -> None:
    run.respond(f"delete {about}", run.mailbox.call(delete, **place))
    run.respond(f"read {about} that is deleted", run.mailbox.call(read, **place))
    run.respond(f"delete {about} again", run.mailbox.call(delete, **place))


def _folders(run: ProbeRun, text: str) -> list[str]:
    """The folders that hold a mail. A copy of a mail to oneself is always in Sent Items."""
    return [name for name in FOLDERS if name != "SentItems" and run.mailbox.find(run.name(text), name)]


@probe(
    14,
    "odd-ids",
    "What do ids answer that are made up, cut, or of a moved mail, and how may ids be encoded?",
    settles=("text-gone-mail", "moved-mail", "other-codes"),
    needs=(Need.ADDRESS,),
)
def odd_ids(run: ProbeRun) -> None:
    """Calls every operation on a mail with malformed ids, and reads mails and events with encoded ids."""
    mail = run.to_self("moved")
    moved = run.mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    run.record("a move changes the id", moved["Id"] != mail["Id"])
    ids = {"a made-up id": "nope", "a cut id": mail["Id"].rstrip("=")[:-_SHORTER], "the id of a moved mail": mail["Id"]}
    calls: dict[str, Callable[[str], Exchange]] = {
        "GetEmail": lambda id: run.mailbox.call("GetEmail", messageId=id),
        "ReplyToV3": lambda id: run.mailbox.call(
            "ReplyToV3", {"Body": "x", "Subject": run.name("reply")}, messageId=id
        ),
        "Move": lambda id: run.mailbox.call("Move", messageId=id, folderPath="Archive"),
        "Flag": lambda id: run.mailbox.call("Flag", messageId=id),
        "MarkAsRead": lambda id: run.mailbox.call("MarkAsRead", messageId=id),
        "DeleteEmail": lambda id: run.mailbox.call("DeleteEmail", messageId=id),
    }
    for about, id in ids.items():
        for operation, call in calls.items():
            run.respond(f"{about}: {operation}", call(id), "text-gone-mail", "other-codes")
    exchange = run.mailbox.call("GetEmail", messageId=mail["Id"], internetMessageId=mail["InternetMessageId"])
    run.respond("the id of a moved mail with its internetMessageId", exchange, "moved-mail")
    event = create(run.mailbox, run.text("event"))
    _encodings(run, "a mail", "/Mail/{}", moved["Id"])
    _encodings(run, "an event", f"/datasets/calendars/v2/tables/{CALENDAR}/items/{{}}", event["Id"])
    for about, path in (("a mail", "/Mail/ab/cd"), ("an event", f"/datasets/calendars/v2/tables/{CALENDAR}/items/a/b")):
        run.respond(f"an id of {about} with a slash", run.mailbox.raw("GET", path), "other-codes")


def _encodings(run: ProbeRun, about: str, path: str, id: str) -> None:
    once = quote(id, safe="")
    for how, text in (("as it is", id), ("once", once), ("twice", quote(once, safe=""))):
        run.respond(f"the id of {about}, encoded {how}", run.mailbox.raw("GET", path.format(text)))
    lower: Any = id.lower()
    run.respond(f"the id of {about} in lower case", run.mailbox.raw("GET", path.format(quote(lower, safe=""))))
