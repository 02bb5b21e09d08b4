"""Mail folders: the folder picker, and the ways to name a folder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

PICKER = {"operation": "MailFolders"}
OWN = ["Archive", "Conversation History", "Deleted Items", "Drafts", "Inbox", "Junk Email", "Outbox", "Sent Items"]


def make(connection: Connection, **folder: Any) -> dict[str, Any]:
    """Create a folder by `path`, or by the list of `names` from the root down."""
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
    return [folder["DisplayName"] for folder in folders]


# --- The picker ---


def test_the_picker_opens_at_the_root(alice: Connection) -> None:
    """A new mailbox lists its well-known folders by name, each with id, name and path."""
    folders = opened(alice)

    assert names(folders) == OWN
    assert [list(folder) for folder in folders] == [["Id", "DisplayName", "IsFolder", "Path"]] * len(OWN)
    assert [(folder["IsFolder"], folder["Path"]) for folder in folders] == [(True, name) for name in OWN]
    assert len({folder["Id"] for folder in folders}) == len(OWN)


def test_the_picker_browses_into_folders(alice: Connection) -> None:
    """Child folders are sorted by name without case and show their whole path."""
    for path in ("Projects/beta", "Projects/Alpha/Deep", "Projects/gamma", "Inbox/Alpha"):
        make(alice, path=path)
    (projects,) = [folder for folder in opened(alice) if folder["DisplayName"] == "Projects"]
    children = browsed(alice, projects["Id"])
    deep = browsed(alice, children[0]["Id"])

    assert [folder["Path"] for folder in children] == ["Projects/Alpha", "Projects/beta", "Projects/gamma"]
    assert [(folder["DisplayName"], folder["Path"]) for folder in deep] == [("Deep", "Projects/Alpha/Deep")]
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
    """`top` and `skip` select a page; the caller's own address is accepted as the mailbox."""
    assert expected == names(opened(alice, **query))


def test_the_picker_shows_a_hundred_by_default(alice: Connection) -> None:
    """Without `top`, both operations return 100 folders."""
    for number in range(101):
        make(alice, path=f"Many/{number:03}")
    (many,) = [folder for folder in opened(alice) if folder["DisplayName"] == "Many"]

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
    """An unknown operation or an invalid page returns 400 and names the parameter."""
    query = {**PICKER, "id": opened(alice)[0]["Id"], **change}
    answer = alice.http.get(path, params={name: value for name, value in query.items() if value is not None})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidRequest")
    assert named in answer.json()["message"]


def test_the_picker_needs_an_id_to_browse(alice: Connection, bob: Connection) -> None:
    """A missing or malformed id returns 400, and another mailbox's id returns 404."""
    answers = [
        alice.http.get("/OnFilePickerBrowse", params=query)
        for query in (PICKER, {**PICKER, "id": "Inbox"}, {**PICKER, "id": opened(bob)[0]["Id"]})
    ]

    assert [(response.status_code, response.json()["error"]["code"]) for response in answers] == [
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
    """Well-known names, with or without a space, and paths name one folder each, in any case."""
    every = [*OWN, "Projects", "Projects/Apollo", "Projects/Apollo/Inbox", "Inbox/Projects", "ärger/öl"]
    for path in every:
        alice.deliver(subject=path, folder=path)

    assert [message["Subject"] for message in alice.mails(named)] == [lies_in]
    assert [message["Subject"] for message in alice.get("/Mail", folderPath=named)] == [lies_in]


def test_making_a_folder_twice_is_making_it_once(alice: Connection) -> None:
    """Creating an existing path, in any case, or a well-known name returns the existing folder."""
    ids = [make(alice, path=path)["id"] for path in ("Projects/Apollo", "PROJECTS/apollo", "Inbox", "inbox")]

    assert len(set(ids)) == 2
    assert names(opened(alice)) == sorted([*OWN, "Projects"])


def test_folders_by_id(alice: Connection) -> None:
    """A folder id from the picker works in every folder parameter, for well-known and other folders."""
    alice.deliver(subject="deep", folder="Projects/Apollo")
    alice.deliver(subject="in")
    ids = {folder["DisplayName"]: folder["Id"] for folder in opened(alice)}
    (apollo,) = browsed(alice, ids["Projects"])

    assert [message["Subject"] for message in alice.sdk("get_emails_async", apollo["Id"])["value"]] == ["deep"]
    assert [message["Subject"] for message in alice.mails(ids["Inbox"])] == ["in"]


def test_folder_path_id_works_wherever_a_folder_is_named(alice: Connection) -> None:
    """`Id::` before an id names the folder in lists, moves, triggers and subscriptions, as the bare id does.

    Recorded from the Office 365 twin: Azure/LogicAppsUX 5128; that bare ids, names and paths are taken too: notes.
    """
    alice.deliver(subject="deep", folder="Projects/Apollo")
    bare = make(alice, path="Projects/Apollo")["id"]
    alice.deliver(subject="elsewhere")
    for index, named in enumerate((f"Id::{bare}", f"id::{bare}", bare, "Projects/Apollo")):
        assert [mail["Subject"] for mail in alice.get("/Mail", folderPath=named)] == ["deep"]
        assert [mail["Subject"] for mail in alice.get("/v2/Mail", folderPath=named)["value"]] == ["deep"]
        moved = alice.sdk("move_async", alice.deliver(subject="moved")["Id"], named)
        assert moved["Id"] in [mail["Id"] for mail in alice.mails("Projects/Apollo")]
        alice.sdk("delete_email_async", moved["Id"])
        for path in ("/Mail/OnNewEmail", "/v2/Mail/OnNewEmail", "/Mail/OnFlaggedEmail"):
            first = alice.http.get(path, params={"folderPath": named})
            assert first.status_code == 202, (path, named, first.text)
            location = first.headers["location"]
            alice.deliver(subject=f"new {index}", folder="Projects/Apollo", is_flagged=True)
            alice.deliver(subject="not here", is_flagged=True)
            fired = alice.http.get(location)
            assert [mail["Subject"] for mail in fired.json()["value"]] == [f"new {index}"], (path, named)
            alice.sdk("delete_email_async", fired.json()["value"][0]["Id"])
        subscribed = alice.http.post(
            "/MailSubscriptionPoke/$subscriptions",
            params={"folderPath": named},
            json={"NotificationUrl": "http://127.0.0.1:9/poke"},
        )
        assert subscribed.status_code in (200, 201), subscribed.text


def test_the_pickers_ids_carry_the_prefix(alice: Connection) -> None:
    """Every Id in the picker begins with `Id::`; browsing takes it with and without.

    Recorded from the Office 365 twin: Azure/LogicAppsUX 5128.
    """
    bare = make(alice, path="Projects/Apollo")["id"]
    (projects,) = [folder for folder in opened(alice) if folder["DisplayName"] == "Projects"]
    children = browsed(alice, projects["Id"])

    assert all(folder["Id"].startswith("Id::AQMk") for folder in opened(alice))
    assert [folder["Id"] for folder in children] == [f"Id::{bare}"]
    assert browsed(alice, projects["Id"].removeprefix("Id::")) == children


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ("Id::Projects", 400, "ErrorInvalidIdMalformed"),
        ("Id::", 400, "ErrorInvalidIdMalformed"),
        ("Id::Inbox", 200, None),
    ],
)
def test_only_an_id_follows_the_prefix(alice: Connection, named: str, status: int, code: str | None) -> None:
    """A display name after `Id::` is a malformed id; the word for a well-known folder stands for its id (inferred)."""
    make(alice, path="Projects")
    answer = alice.http.get("/v2/Mail", params={"folderPath": named})

    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code


def test_a_slash_in_a_name_is_not_addressable_by_path(alice: Connection) -> None:
    """A folder with a slash in its name can be named only by id, as documented."""
    created = make(alice, names=["Clients", "A/B"])
    moved = alice.sdk("move_async", alice.deliver()["Id"], created["id"])
    (clients,) = [folder for folder in opened(alice) if folder["DisplayName"] == "Clients"]

    assert names(browsed(alice, clients["Id"])) == ["A/B"]
    assert alice.mail(created["id"])["Id"] == moved["Id"]
    for path in ("Clients/A/B", "A/B", "Clients/A%2FB"):
        answer = alice.http.get("/v2/Mail", params={"folderPath": path})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorFolderNotFound")


def test_a_path_and_a_name_with_a_slash_differ(alice: Connection) -> None:
    """A path names the nested folder, not the folder with a slash in its name."""
    named, nested = make(alice, names=["A/B"]), make(alice, path="A/B")
    alice.deliver(subject="nested", folder="A/B")

    assert named["id"] != nested["id"]
    assert [message["Subject"] for message in alice.mails("A/B")] == ["nested"]
    assert alice.mails(named["id"]) == []


@pytest.mark.parametrize("folder", ["Nowhere", "Projects/Nowhere", "Nowhere/Apollo", "Apollo", "/", " "])
def test_a_folder_that_is_not_there(alice: Connection, folder: str) -> None:
    """Every part of a path must exist, and reading creates no folders."""
    make(alice, path="Projects/Apollo")
    answer = alice.http.get("/v2/Mail", params={"folderPath": folder})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorFolderNotFound")
    assert names(opened(alice)) == sorted([*OWN, "Projects"])


def test_ids_of_other_things_are_no_folders(alice: Connection, bob: Connection) -> None:
    """A message id, another mailbox's folder id and an invalid id are rejected."""
    theirs = opened(bob)[0]["Id"]
    message = alice.deliver()["Id"]
    forged = theirs[:-2] + ("A=" if theirs[-2] != "A" else "B=")
    answers = [alice.http.get("/v2/Mail", params={"folderPath": id}) for id in (theirs, message, forged)]

    assert [(response.status_code, response.json()["error"]["code"]) for response in answers] == [
        (404, "ErrorFolderNotFound"),
        (404, "ErrorFolderNotFound"),
        (400, "ErrorInvalidIdMalformed"),
    ]


def test_mailboxes_have_folders_of_their_own(alice: Connection, bob: Connection) -> None:
    """A folder created in one mailbox does not exist in another."""
    make(alice, path="Projects")

    assert names(opened(bob)) == OWN
    assert bob.http.get("/v2/Mail", params={"folderPath": "Projects"}).status_code == 404


@pytest.mark.parametrize("path", ["", "A//B", "A/ ", "x" * 256])
def test_a_bad_folder_name_makes_nothing(alice: Connection, path: str) -> None:
    """An empty or overlong name is rejected, and no part of the path is created."""
    answer = alice.api.post(f"/connections/{alice.id}/folders", json={"path": path})

    assert answer.status_code == 400
    assert names(opened(alice)) == OWN


def test_the_picker_opens_a_granted_mailbox(sandbox: Sandbox, alice: Connection) -> None:
    """A caller with a grant sees the other mailbox's folders; without a grant access is denied."""
    make(alice, path="Shared")
    bob = sandbox.connect("bob", send_as=[alice.address])
    denied = alice.http.get("/OnFilePickerOpen", params={"operation": "MailFolders", "mailboxAddress": bob.address})

    assert "Shared" in names(opened(bob, mailboxAddress=alice.address))
    assert (403, "ErrorAccessDenied") == (denied.status_code, denied.json()["error"]["code"])
