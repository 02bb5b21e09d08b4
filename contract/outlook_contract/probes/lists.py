"""What lists of mails return: folders, sizes of pages, searches and filters."""

from __future__ import annotations

from typing import Any

from outlook_contract.mailbox import Mailbox
from outlook_contract.probes.bodies import file
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_WINDOW = 260
"""More mails than the 250 at which the twin's filters are said to look."""
_FOLDERS = (
    *("Nope", "Inbox/Nope", "Sent Items", "sentitems", "SentItems", "INBOX", "Drafts", "Archive", "Deleted Items"),
    *("Junk Email", "JunkEmail", "Outbox", "Id::Inbox", "Id::nope", "", " Inbox ", "Inbox/", "/Inbox"),
)
_USUAL = ("Inbox", "Drafts", "Sent Items", "Deleted Items", "Junk Email", "Archive", "Outbox")
_QUERY = {"fetchOnlyUnread": False, "includeAttachments": False}


@probe(
    11,
    "folders-and-pages",
    "Which names of folders and which sizes of pages does Get emails take, and what does it answer to others?",
    settles=("list-top", "folder-names", "folder-id-prefix", "text-unknown-folder", "text-no-permission"),
    reads=True,
)
def folders_and_pages(run: ProbeRun) -> None:
    """Lists mails with odd sizes, folders and mailboxes."""
    for top in ("0", "1", "1000", "1001", "-1", "x", "1.5", ""):
        run.respond(f"top '{top}'", run.mailbox.call("GetEmailsV2", top=top, **_QUERY), "list-top")
    for skip in ("-1", "x", "100000"):
        run.respond(f"skip '{skip}'", run.mailbox.call("GetEmails", skip=skip, top=1, **_QUERY))
    for name in _FOLDERS:
        exchange = run.mailbox.call("GetEmailsV2", folderPath=name, top=1, **_QUERY)
        deviation = "folder-id-prefix" if name.startswith("Id::") else "folder-names"
        run.respond(f"folder '{name}'", exchange, deviation, "text-unknown-folder")
    ids = _folder_ids(run.mailbox)
    run.record("names of folders in the file picker", sorted(ids), "folder-names")
    if "Inbox" in ids:
        id = ids["Inbox"].removeprefix("Id::")
        run.record("ids in the file picker start with Id::", id != ids["Inbox"], "folder-id-prefix")
        for about, path in (("the id of Inbox", id), ("the id behind Id::", f"Id::{id}")):
            exchange = run.mailbox.call("GetEmailsV2", folderPath=path, top=1, **_QUERY)
            run.respond(f"folder by {about}", exchange, "folder-id-prefix")
    for about, query in (
        ("importance 'Urgent'", {"importance": "Urgent"}),
        ("importance '1'", {"importance": "1"}),
        ("importance 'high'", {"importance": "high"}),
        ("fetchOnlyUnread 'maybe'", {"fetchOnlyUnread": "maybe"}),
        ("an unknown parameter's value", {"searchQuery": ""}),
    ):
        run.respond(about, run.mailbox.call("GetEmailsV2", top=1, **{**_QUERY, **query}))
    exchange = run.mailbox.call("GetEmailsV2", mailboxAddress="stranger@example.com", top=1, **_QUERY)
    run.respond("the mailbox of a stranger", exchange, "text-no-permission")


def _folder_ids(mailbox: Mailbox) -> dict[str, str]:
    """The ids of the usual folders by name. Others are their owner's own business."""
    exchange = mailbox.call("OnFilePickerOpen", operation="MailFolders")
    body: Any = (exchange.json() if exchange.is_success else None) or []
    entries = body.get("value") or body.get("Values") or [] if isinstance(body, dict) else body
    names: dict[str, str] = {}
    for entry in entries:
        name = entry.get("DisplayName") or entry.get("Name") or entry.get("name")
        if name in _USUAL:
            names[name] = str(entry.get("Id") or entry.get("id"))
    return names


@probe(
    15,
    "searches",
    "Which mails does searchQuery find, in which order, and when does it fail?",
    settles=("search-language", "search-unavailable", "stored-body-in-filters"),
    needs=(Need.ADDRESS,),
)
def searches(run: ProbeRun) -> None:
    """Sends mails with rare words, and searches for them in several ways."""
    run.to_self("first", Body="<p>The aardvark meets a bandicoot</p>")
    run.to_self("second", Body="<p>The bandicoot meets an aardvark</p>")
    run.to_self("third with caracal", Body="<p>Nothing else</p>", Attachments=[file("dugong.txt", b"x")])
    run.settle(10)
    queries = {
        "a word": "aardvark",
        "a word in capitals": "AARDVARK",
        "a word of the subject": "caracal",
        "two words": "aardvark bandicoot",
        "a phrase": '"aardvark meets a bandicoot"',
        "subject": "subject:caracal",
        "body": "body:aardvark",
        "from": f"from:{run.mailbox.address}",
        "to": f"to:{run.mailbox.address}",
        "OR": "aardvark OR caracal",
        "or in small letters": "aardvark or caracal",
        "AND": "aardvark AND bandicoot",
        "NOT": "bandicoot NOT caracal",
        "brackets": "(aardvark OR caracal) AND Nothing",
        "has an attachment": "caracal AND hasattachments:true",
        "the name of an attachment": "attachment:dugong.txt",
        "the start of a word": "aardv",
        "the start of a word and a star": "aardv*",
        "quotes around a word": '"aardvark"',
        "an unclosed quote": '"aardvark',
        "an unknown property": "nosuch:aardvark",
        "markup that the service adds": "charset",
    }
    for about, query in queries.items():
        exchange = run.mailbox.call("GetEmailsV2", searchQuery=query, top=50, **_QUERY)
        answer = run.response(exchange)
        if exchange.is_success:
            # No source promises an order for mails of the same second.
            answer["finds"] = sorted(_texts(run, exchange.json()["value"]))
        deviation = "stored-body-in-filters" if "markup" in about else "search-language"
        run.record(about, answer, deviation, "search-unavailable")
    exchange = run.mailbox.call("GetEmailsV2", searchQuery="aardvark", top=1, **_QUERY)
    number = len(exchange.json()["value"]) if exchange.is_success else None
    run.record("a search with top 1", {**run.response(exchange), "mails": number}, "search-language")


@probe(
    16,
    "filter-window",
    "How many mails of a folder do the filters for addresses and subjects look at?",
    settles=("filter-window",),
    needs=(Need.ADDRESS,),
    heavy=True,
)
def filter_window(run: ProbeRun) -> None:
    """Sends one mail, then more than 250 others, and filters for the first."""
    subject = run.name("oldest")
    recipients = f"{run.mailbox.address};oldest@example.com"
    run.mailbox.ok("SendEmailV2", {"To": recipients, "Subject": subject, "Body": "<p>x</p>"})
    run.look_for("oldest")
    filters = {"subjectFilter": f"{run.probe.id} oldest", "to": "oldest@example.com"}
    _filtered(run, "while it is new", filters)
    for _ in range(_WINDOW):
        run.mailbox.ok("SendEmailV2", {"To": run.mailbox.address, "Subject": run.name("newer"), "Body": "<p>x</p>"})
    run.settle(120)
    _filtered(run, f"behind {_WINDOW} newer ones", filters)
    query = {**_QUERY, "folderPath": "Inbox", "subjectFilter": f"{run.probe.id} newer"}
    mails = run.mailbox.ok("GetEmailsV2", top=1000, **query)["value"]
    run.record("newer mails that a filter returns", _texts(run, mails).count("newer"), "filter-window")


def _filtered(run: ProbeRun, about: str, filters: dict[str, Any]) -> None:
    for name, value in filters.items():
        query = {**_QUERY, "folderPath": "Inbox", "top": 1000, name: value}
        mails = run.mailbox.ok("GetEmailsV2", **query)["value"]
        run.record(f"{name} finds the oldest mail, {about}", "oldest" in _texts(run, mails), "filter-window")


def _texts(run: ProbeRun, mails: list[Any]) -> list[str]:
    return [text for mail in mails if (text := run.mine(mail["Subject"]))]
