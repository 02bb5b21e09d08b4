"""Folders: what the picker shows, and every way a client may name one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

PICKER = {"operation": "MailFolders"}
OWN = ["Archive", "Conversation History", "Deleted Items", "Drafts", "Inbox", "Junk Email", "Outbox", "Sent Items"]


def make(connection: Connection, **folder: Any) -> dict[str, Any]:
    """A folder by `path` or, name by name, by `names`."""
    answer = connection.api.post(f"/connections/{connection.id}/folders", json=folder)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def opened(connection: Connection, **query: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = connection.get("/OnFilePickerOpen", **{**PICKER, **query})["value"]
    return entries


def browsed(connection: Connection, id: str, **query: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = connection.get("/OnFilePickerBrowse", **{**PICKER, "id": id, **query})["value"]
    return entries


def names(folders: list[dict[str, Any]]) -> list[str]:
    return [one["DisplayName"] for one in folders]


# --- The picker ---


def test_the_picker_opens_at_the_root(alice: Connection) -> None:
    """A new mailbox shows its well-known folders by name, each with id, name and path."""
    found = opened(alice)

    assert names(found) == OWN
    assert [list(one) for one in found] == [["Id", "DisplayName", "IsFolder", "Path"]] * len(OWN)
    assert [(one["IsFolder"], one["Path"]) for one in found] == [(True, name) for name in OWN]
    assert len({one["Id"] for one in found}) == len(OWN)


def test_the_picker_browses_into_folders(alice: Connection) -> None:
    """A folder's children come by name without regard to case, and carry the whole path."""
    for path in ("Projects/beta", "Projects/Alpha/Deep", "Projects/gamma", "Inbox/Alpha"):
        make(alice, path=path)
    (projects,) = [one for one in opened(alice) if one["DisplayName"] == "Projects"]
    children = browsed(alice, projects["Id"])
    deep = browsed(alice, children[0]["Id"])

    assert [one["Path"] for one in children] == ["Projects/Alpha", "Projects/beta", "Projects/gamma"]
    assert [(one["DisplayName"], one["Path"]) for one in deep] == [("Deep", "Projects/Alpha/Deep")]
    assert browsed(alice, deep[0]["Id"]) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, OWN),
        ({"top": 3}, OWN[:3]),
        ({"top": 3, "skip": 3}, OWN[3:6]),
        ({"skip": 6}, OWN[6:]),
        ({"skip": 8}, []),
        ({"top": 1000}, OWN),
        ({"mailboxAddress": ""}, OWN),
        ({"mailboxAddress": "ALICE@example.com"}, OWN),
        ({"operation": "mailfolders"}, OWN),
    ],
)
def test_the_picker_pages(alice: Connection, query: dict[str, Any], expected: list[str]) -> None:
    """`top` and `skip` cut a page out of the list; the own address may be named."""
    assert expected == names(opened(alice, **query))


def test_the_picker_shows_a_hundred_by_default(alice: Connection) -> None:
    """Without `top` a page has 100 folders, in both operations."""
    for number in range(101):
        make(alice, path=f"Many/{number:03}")
    (many,) = [one for one in opened(alice) if one["DisplayName"] == "Many"]

    assert names(browsed(alice, many["Id"])) == [f"{number:03}" for number in range(100)]
    assert names(browsed(alice, many["Id"], top=2, skip=99)) == ["099", "100"]


@pytest.mark.parametrize("path", ["/OnFilePickerOpen", "/OnFilePickerBrowse"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"operation": "Calendars"}, "'operation'"),
        ({"operation": None}, "'operation'"),
        ({"top": "0"}, "'top'"),
        ({"top": "many"}, "'top'"),
        ({"skip": "-1"}, "'skip'"),
    ],
)
def test_the_picker_refuses_what_it_cannot_read(
    alice: Connection, path: str, change: dict[str, Any], named: str
) -> None:
    """An unknown operation or a page that cannot be is a 400 that names the parameter."""
    query = {**PICKER, "id": opened(alice)[0]["Id"], **change}
    answer = alice.http.get(path, params={name: value for name, value in query.items() if value is not None})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidRequest")
    assert named in answer.json()["message"]


def test_the_picker_needs_an_id_to_browse(alice: Connection, bob: Connection) -> None:
    """Without an id it is a 400, with one that is none a 400 too, and with somebody else's a 404."""
    answers = [
        alice.http.get("/OnFilePickerBrowse", params=query)
        for query in (PICKER, {**PICKER, "id": "Inbox"}, {**PICKER, "id": opened(bob)[0]["Id"]})
    ]

    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [
        (400, "ErrorInvalidRequest"),
        (400, "ErrorInvalidIdMalformed"),
        (404, "ErrorFolderNotFound"),
    ]


# --- Naming a folder ---


@pytest.mark.parametrize(
    ("named", "lies_in"),
    [
        ("Inbox", "Inbox"),
        ("inbox", "Inbox"),
        ("INBOX", "Inbox"),
        (" Inbox ", "Inbox"),
        ("/Inbox", "Inbox"),
        ("Inbox/", "Inbox"),
        ("SentItems", "Sent Items"),
        ("sentitems", "Sent Items"),
        ("sent items", "Sent Items"),
        ("DeletedItems", "Deleted Items"),
        ("Deleted Items", "Deleted Items"),
        ("JunkEmail", "Junk Email"),
        ("junk email", "Junk Email"),
        ("Conversation History", "Conversation History"),
        ("ConversationHistory", "Conversation History"),
        ("Drafts", "Drafts"),
        ("archive", "Archive"),
        ("Outbox", "Outbox"),
        ("Projects", "Projects"),
        ("projects", "Projects"),
        ("Projects/Apollo", "Projects/Apollo"),
        ("PROJECTS/apollo/", "Projects/Apollo"),
        ("Projects//Apollo", "Projects/Apollo"),
        ("Projects/Apollo/Inbox", "Projects/Apollo/Inbox"),
        ("Inbox/Projects", "Inbox/Projects"),
        ("Ärger/ÖL", "ärger/öl"),
    ],
)
def test_folders_by_name(alice: Connection, named: str, lies_in: str) -> None:
    """Well-known names, with and without their blank, and paths lead to one folder each, in any case."""
    every = [*OWN, "Projects", "Projects/Apollo", "Projects/Apollo/Inbox", "Inbox/Projects", "ärger/öl"]
    for path in every:
        alice.deliver(subject=path, folder=path)

    assert [one["Subject"] for one in alice.mails(named)] == [lies_in]
    assert [one["Subject"] for one in alice.get("/Mail", folderPath=named)] == [lies_in]


def test_making_a_folder_twice_is_making_it_once(alice: Connection) -> None:
    """The same path in another case, or a well-known name, is the folder that is there already."""
    made = [make(alice, path=path)["id"] for path in ("Projects/Apollo", "PROJECTS/apollo", "Inbox", "inbox")]

    assert len(set(made)) == 2
    assert names(opened(alice)) == sorted([*OWN, "Projects"])


def test_folders_by_id(alice: Connection) -> None:
    """The id from the picker works wherever a folder is asked for, for well-known and own folders alike."""
    alice.deliver(subject="deep", folder="Projects/Apollo")
    alice.deliver(subject="in")
    ids = {one["DisplayName"]: one["Id"] for one in opened(alice)}
    (apollo,) = browsed(alice, ids["Projects"])

    assert [one["Subject"] for one in alice.sdk("get_emails_async", apollo["Id"])["value"]] == ["deep"]
    assert [one["Subject"] for one in alice.mails(ids["Inbox"])] == ["in"]


def test_a_slash_in_a_name_is_not_addressable_by_path(alice: Connection) -> None:
    """A folder whose own name holds a slash has no path, only an id, as documented."""
    made = make(alice, names=["Clients", "A/B"])
    moved = alice.sdk("move_async", alice.deliver()["Id"], made["id"])
    (clients,) = [one for one in opened(alice) if one["DisplayName"] == "Clients"]

    assert names(browsed(alice, clients["Id"])) == ["A/B"]
    assert alice.mail(made["id"])["Id"] == moved["Id"]
    for path in ("Clients/A/B", "A/B", "Clients/A%2FB"):
        answer = alice.http.get("/v2/Mail", params={"folderPath": path})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorFolderNotFound")


def test_a_path_and_a_name_with_a_slash_differ(alice: Connection) -> None:
    """Where both exist, the path means the nested folder."""
    named, nested = make(alice, names=["A/B"]), make(alice, path="A/B")
    alice.deliver(subject="nested", folder="A/B")

    assert named["id"] != nested["id"]
    assert [one["Subject"] for one in alice.mails("A/B")] == ["nested"]
    assert alice.mails(named["id"]) == []


@pytest.mark.parametrize("folder", ["Nowhere", "Projects/Nowhere", "Nowhere/Apollo", "Apollo", "/", " "])
def test_a_folder_that_is_not_there(alice: Connection, folder: str) -> None:
    """A path must lead all the way: nothing is looked for elsewhere, and reading makes no folders."""
    make(alice, path="Projects/Apollo")
    answer = alice.http.get("/v2/Mail", params={"folderPath": folder})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorFolderNotFound")
    assert names(opened(alice)) == sorted([*OWN, "Projects"])


def test_ids_of_other_things_are_no_folders(alice: Connection, bob: Connection) -> None:
    """A message id, somebody else's folder id and one nobody gave out are all refused."""
    theirs = opened(bob)[0]["Id"]
    message = alice.deliver()["Id"]
    forged = theirs[:-2] + ("A=" if theirs[-2] != "A" else "B=")
    answers = [alice.http.get("/v2/Mail", params={"folderPath": id}) for id in (theirs, message, forged)]

    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [
        (404, "ErrorFolderNotFound"),
        (404, "ErrorFolderNotFound"),
        (400, "ErrorInvalidIdMalformed"),
    ]


def test_mailboxes_have_folders_of_their_own(alice: Connection, bob: Connection) -> None:
    """A folder made in one mailbox is not in the other."""
    make(alice, path="Projects")

    assert names(opened(bob)) == OWN
    assert bob.http.get("/v2/Mail", params={"folderPath": "Projects"}).status_code == 404


@pytest.mark.parametrize("path", ["", "A//B", "A/ ", "x" * 256])
def test_a_bad_folder_name_makes_nothing(alice: Connection, path: str) -> None:
    """A name that is empty or too long is refused, and none of the path before it is made."""
    answer = alice.api.post(f"/connections/{alice.id}/folders", json={"path": path})

    assert answer.status_code == 400
    assert names(opened(alice)) == OWN


def test_the_picker_opens_a_granted_mailbox(sandbox: Sandbox, alice: Connection) -> None:
    """Whoever was granted an address sees that mailbox's folders; others are told that access is denied."""
    make(alice, path="Shared")
    bob = sandbox.connect("bob", send_as=[alice.address])
    denied = alice.http.get("/OnFilePickerOpen", params={"operation": "MailFolders", "mailboxAddress": bob.address})

    assert "Shared" in names(opened(bob, mailboxAddress=alice.address))
    assert (403, "ErrorAccessDenied") == (denied.status_code, denied.json()["error"]["code"])
