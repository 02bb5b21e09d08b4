"""Journeys through folders: names, ids, the picker, and the tables of calendars and contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import FOLDERS, Mailbox

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

LISTS = ("GetEmails", "GetEmailsV2")
MANY = 1000
"""More folders than a page of the picker has by default."""


def root_folders(mailbox: Mailbox, **query: Any) -> list[dict[str, Any]]:
    """The folders that the picker shows first."""
    folders: list[dict[str, Any]] = mailbox.ok("OnFilePickerOpen", operation="MailFolders", **query)["value"]
    return folders


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_words_for_folders_are_known(mailbox: Mailbox, operation: str, folder: str) -> None:
    """Outlook's folders have words that every mailbox knows (notes from live use)."""
    mailbox.ok(operation, folderPath=folder, fetchOnlyUnread=False, top=1)


@pytest.mark.parametrize("folder", ["inbox", "INBOX"])
def test_the_case_of_a_folder_does_not_matter(mailbox: Mailbox, own_address: str, folder: str) -> None:
    """A folder's word may be in any case (inferred)."""
    mail = mailbox.to_self(f"Case {folder}")
    exchange = mailbox.call("GetEmailsV2", folderPath=folder, fetchOnlyUnread=False, top=50)
    listed = [item["Id"] for item in exchange.json()["value"]] if exchange.is_success else []
    mailbox.holds("GetEmailsV2", "folderPath", exchange.status, "lists the mail", mail["Id"] in listed)


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
def test_an_unknown_folder_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A folder that is not there is a 404 (inferred)."""
    folder = f"no-such-folder-{mailbox.marker}"
    exchange = mailbox.call(operation, folderPath=folder)
    mailbox.equal(operation, "folderPath", exchange.status, 404)
    if exchange.status == 404:
        mailbox.equal(operation, "error.code", exchange.json()["error"].get("code"), "ErrorFolderNotFound")


@pytest.mark.reads
def test_the_picker_opens_at_the_root(mailbox: Mailbox) -> None:
    """The picker shows Outlook's folders with ids that start with `Id::` (recorded in workflow metadata)."""
    folders = root_folders(mailbox, top=MANY)
    for folder in folders:
        mailbox.holds(
            "OnFilePickerOpen", "value[].Id", folder["Id"], "starts with Id::", folder["Id"].startswith("Id::")
        )
        mailbox.equal("OnFilePickerOpen", "value[].IsFolder", folder["IsFolder"], True)
    names = [folder["DisplayName"] for folder in folders]
    for name in ("Inbox", "Drafts", "Archive", "Sent Items", "Deleted Items"):
        mailbox.holds("OnFilePickerOpen", "value[].DisplayName", names, f"has {name}", name in names)


@pytest.mark.reads
def test_the_picker_pages(mailbox: Mailbox) -> None:
    """`top` and `skip` cut a page out of the folders."""
    folders = root_folders(mailbox, top=MANY)
    mailbox.equal("OnFilePickerOpen", "top", root_folders(mailbox, top=2), folders[:2])
    mailbox.equal("OnFilePickerOpen", "skip", root_folders(mailbox, top=2, skip=1), folders[1:3])


def test_a_folder_of_the_picker_can_be_used(mailbox: Mailbox, own_address: str) -> None:
    """An id of the picker names its folder in lists and in Move (recorded for lists), and does without its prefix."""
    ids = {folder["DisplayName"]: folder["Id"] for folder in root_folders(mailbox, top=MANY)}
    mail = mailbox.to_self("Picked")
    mailbox.equal("GetEmailsV2", "folderPath", mailbox.mail(mail["Subject"], ids["Inbox"])["Id"], mail["Id"])
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath=ids["Archive"])
    mailbox.equal("Move", "folderPath", mailbox.mail(mail["Subject"], "Archive")["Id"], moved["Id"])
    bare = ids["Archive"].removeprefix("Id::")
    mailbox.equal("GetEmailsV2", "folderPath", mailbox.mail(mail["Subject"], bare)["Id"], moved["Id"])


@pytest.mark.reads
def test_the_picker_browses_into_a_folder(mailbox: Mailbox) -> None:
    """Browsing answers with the folders below one; a malformed id is refused."""
    folders = root_folders(mailbox, top=MANY)
    below = mailbox.ok("OnFilePickerBrowse", operation="MailFolders", id=folders[0]["Id"])["value"]
    paths = [folder["Path"] for folder in below]
    start = folders[0]["Path"]
    inside = all(path.startswith(start) and path != start for path in paths)
    mailbox.holds("OnFilePickerBrowse", "value[].Path", paths, f"below {start}", inside)
    mailbox.refused("OnFilePickerBrowse", 400, operation="MailFolders", id="Id::nope", code="ErrorInvalidIdMalformed")


@pytest.mark.reads
def test_the_picker_knows_mail_folders_alone(mailbox: Mailbox) -> None:
    """An operation other than MailFolders is refused."""
    mailbox.refused("OnFilePickerOpen", 400, operation="Nothing", code="ErrorInvalidRequest")


@pytest.mark.reads
def test_there_are_two_data_sets(mailbox: Mailbox) -> None:
    """The data sets are those of calendars and contacts, and their ids are escaped twice. Recorded on the sibling."""
    names = {"calendars": "Calendars", "contacts": "Contacts"}
    answer = mailbox.ok("GetDataSets")
    expected = [{"Name": name, "DisplayName": shown} for name, shown in names.items()]
    mailbox.equal("GetDataSets", "value", answer["value"], expected)
    context = str(answer.get("@odata.context"))
    mailbox.holds(
        "GetDataSets", "@odata.context", context, "…$metadata#datasets", context.endswith("$metadata#datasets")
    )
    tabular = {"source": "list", "displayName": "dataset", "urlEncoding": "double"}
    tabular |= {"tableDisplayName": "Table", "tablePluralName": "Tables"}
    metadata = mailbox.ok("GetDataSetsMetadata")
    mailbox.equal("GetDataSetsMetadata", "body", metadata, {"tabular": tabular, "blob": None})


@pytest.mark.reads
@pytest.mark.parametrize(
    ("tables", "table", "items", "name", "required"),
    [
        ("CalendarGetTables", "CalendarGetTable", "V3CalendarGetItems", "Calendar", ["Subject", "Start"]),
        ("ContactGetTables", "ContactGetTable", "ContactGetItems", "Contacts", ["GivenName"]),
    ],
)
def test_tables_have_names_and_ids(
    mailbox: Mailbox, tables: str, table: str, items: str, name: str, required: list[str]
) -> None:
    """The default calendar and contact folder are listed, and go by name and by id alike.

    What is required of an item is recorded on the sibling connector.
    """
    ids = {entry["DisplayName"]: entry["Name"] for entry in mailbox.ok(tables)["value"]}
    if not mailbox.holds(tables, "value[].DisplayName", list(ids), f"has {name}", name in ids):
        return
    by_id, by_name = (mailbox.ok(table, table=value) for value in (ids[name], name))
    mailbox.equal(table, "table", by_id, by_name)
    mailbox.members(table, "", by_id, {"name": ids[name], "title": name, "x-ms-permission": "read-write"})
    mailbox.equal(table, "schema.items.required", by_id["schema"]["items"]["required"], required)
    key = {"x-ms-keyType": "primary", "x-ms-keyOrder": 1}
    mailbox.members(table, "schema.items.properties.Id", by_id["schema"]["items"]["properties"]["Id"], key)
    first, second = (mailbox.ok(items, table=value, top=1)["value"] for value in (ids[name], name))
    mailbox.equal(items, "table", [item.get("Id") for item in first], [item.get("Id") for item in second])


@pytest.mark.reads
@pytest.mark.parametrize("operation", ["CalendarGetTable", "ContactGetTable", "ContactGetItems"])
def test_an_unknown_table_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A calendar or contact folder that is not there is a 404 (text inferred)."""
    mailbox.refused(operation, 404, table=f"none-{mailbox.marker}", code="ErrorFolderNotFound")


@pytest.mark.reads
@pytest.mark.parametrize("folder", ["Sent Items", "Deleted Items", "deleteditems", "Junk Email"])
def test_folders_go_by_their_display_names(mailbox: Mailbox, folder: str) -> None:
    """Outlook's folders are found by the names that the picker shows, too."""
    mailbox.ok("GetEmailsV2", folderPath=folder, fetchOnlyUnread=False, top=1)


def test_a_folder_goes_by_its_path(mailbox: Mailbox, emulator: Sandbox, own_address: str) -> None:
    """A folder below another one is found by its path and by its id, and the picker shows both."""
    connection = mailbox.url.rpartition("/")[2]
    parent = mailbox.name("Parent")
    emulator.admin.request("POST", f"/connections/{connection}/folders", json={"names": [parent, "Child"]})
    upper = next(folder for folder in root_folders(mailbox, top=MANY) if folder["DisplayName"] == parent)
    mailbox.equal("OnFilePickerOpen", "value[].Path", upper["Path"], parent)
    (lower,) = mailbox.ok("OnFilePickerBrowse", operation="MailFolders", id=upper["Id"])["value"]
    expected = {"DisplayName": "Child", "Path": f"{parent}/Child", "IsFolder": True}
    mailbox.members("OnFilePickerBrowse", "value[]", lower, expected)
    mail = mailbox.to_self("Deep")
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath=f"{parent}/Child")
    for path in (f"{parent}/Child", lower["Id"]):
        mailbox.equal("GetEmailsV2", "folderPath", mailbox.mail(mail["Subject"], path)["Id"], moved["Id"])
    mailbox.equal("GetEmailsV2", "folderPath", mailbox.find(mail["Subject"], parent), None)
    mailbox.refused("GetEmailsV2", 404, folderPath=f"{parent}/Other", code="ErrorFolderNotFound")
