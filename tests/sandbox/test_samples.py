"""Sample mailboxes: the ones that ship, and a user's own files with their errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import BodyTooLarge, InvalidRequest
from outlook_emulator.mailbox.message import Address, Attachment
from outlook_emulator.sandbox.samples import Sample, load, names, unpacked
from outlook_emulator.sandbox.samples import described as described_by
from outlook_emulator.seed_folder import packed
from tests.paths import EML
from tools.archive_sample import TARGET, source

OWN_FOLDERS = {"Inbox", "Sent Items", "Drafts", "Deleted Items", "Junk Email", "Archive"}
HEAD = 'address = "me@example.com"\ndisplay_name = "Me"\n'
MAIL = HEAD + '[[mail]]\nfolder = "Inbox"\nreceived = 2026-03-01T10:00:00Z\n'


@pytest.fixture(scope="module")
def archive() -> Sample:
    return load("archive")


@pytest.fixture(scope="module")
def office() -> Sample:
    return load("office")


def described(directory: Path, text: str) -> Sample:
    (directory / "mailbox.toml").write_text(text, encoding="utf-8")
    return load(str(directory))


def test_names() -> None:
    """The sample mailboxes that ship can be listed."""
    assert names() == ("archive", "empty", "office")


@pytest.mark.parametrize(
    ("name", "address", "display_name"),
    [
        ("office", "ada@example.com", "Ada Byron"),
        ("empty", "quiet@example.com", "Quiet Quill"),
        ("archive", "mary@example.com", "Mary Somerville"),
    ],
)
def test_owners(name: str, address: str, display_name: str) -> None:
    """Each sample mailbox has its own owner, so that one sandbox can hold several samples."""
    sample = load(name)

    assert (address, display_name) == (sample.address, sample.display_name)


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_are_in_known_folders(name: str) -> None:
    """The folder of each mail is listed in the sample or exists in every mailbox; a typo would create a new folder."""
    sample = load(name)

    assert {item.folder for item in sample.mails} <= {*sample.folders, *((own,) for own in OWN_FOLDERS)}


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_are_to_or_from_the_owner(name: str) -> None:
    """Every mail is from the owner, to the owner, or from a mailing list."""
    sample = load(name)
    strangers = [
        item.mail.subject
        for item in sample.mails
        if sample.address not in {address.address for address in (*item.mail.to, *item.mail.cc, *item.mail.bcc)}
        and item.mail.sender != Address(sample.address, sample.display_name)
        and "List-Id" not in dict(item.mail.headers)
    ]

    assert strangers == []


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_arrive_in_order(name: str) -> None:
    """Mails are in order of receipt, and none is received before it was sent."""
    mails = load(name).mails

    assert sorted(item.received for item in mails) == [item.received for item in mails]
    assert all(item.mail.sent is not None and item.mail.sent <= item.received for item in mails)


def test_empty() -> None:
    """The empty mailbox is empty."""
    assert Sample(address="quiet@example.com", display_name="Quiet Quill") == load("empty")


def test_office_has_something_of_everything(office: Sample) -> None:
    """The office has read and unread, flagged, encrypted, inline and nested mails, and a folder with a slash."""
    mails = office.mails

    assert {True, False} == {item.is_read for item in mails} == {item.is_flagged for item in mails}
    assert {True, False} == {item.mail.is_html for item in mails} == {item.mail.is_encrypted for item in mails}
    assert {True, False} == {file.is_inline for item in mails for file in item.mail.attachments}
    assert set(Importance) == {item.mail.importance for item in mails}
    assert [item.folder for item in mails if item.mail.subject == "The paper, again"] == [("R/D",)]
    assert any(file.content_type == "message/rfc822" for item in mails for file in item.mail.attachments)


@pytest.mark.parametrize("name", ["office", "archive"])
def test_replies_follow_their_mails(name: str) -> None:
    """Every reply in a sample refers to an earlier mail of the sample."""
    seen: set[str | None] = set()
    for item in load(name).mails:
        assert item.mail.in_reply_to is None or item.mail.in_reply_to in seen
        assert set(item.mail.references) <= seen
        seen.add(item.mail.message_id)


def test_archive_is_large_and_mixed(archive: Sample) -> None:
    """The archive has 2,000 mails with the expected shares of replies, attachments, flags and importance."""
    mails = archive.mails
    first, last = mails[0].received, mails[-1].received

    assert len(mails) == 2000
    assert len({item.mail.message_id for item in mails}) == 2000
    assert 300 < sum(item.folder == ("Sent Items",) for item in mails) < 500
    assert 400 < sum(item.mail.in_reply_to is not None for item in mails) < 1000
    assert 200 < sum(bool(item.mail.attachments) for item in mails) < 400
    assert 50 < sum(item.is_flagged for item in mails) < 150
    assert 200 < sum(not item.is_read for item in mails) < 500
    assert set(Importance) == {item.mail.importance for item in mails}
    assert microseconds(datetime(2025, 1, 1, tzinfo=UTC)) <= first < microseconds(datetime(2025, 1, 2, tzinfo=UTC))
    assert microseconds(datetime(2025, 12, 31, tzinfo=UTC)) <= last < microseconds(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.slow
def test_archive_is_up_to_date() -> None:
    """The file that ships contains what `make samples` generates."""
    assert source() == TARGET.read_bytes()


def test_mails_from_json_lines(tmp_path: Path) -> None:
    """A file of JSON lines has the keys of `[[mail]]`, with times as text."""
    lines = [
        {"folder": "Inbox", "received": "2026-03-01T10:00:00.5Z", "sent": "2026-03-01T10:00:00Z", "subject": "First"},
        {"folder": "Inbox", "received": "2026-03-01T11:00:00+00:00", "file": "eml/plain.eml", "read": True},
    ]
    (tmp_path / "mails.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    first, second = described(tmp_path, HEAD + 'mail_files = ["mails.jsonl"]').mails
    when = microseconds(datetime(2026, 3, 1, 10, tzinfo=UTC))

    assert ("First", when, when + 500_000) == (first.mail.subject, first.mail.sent, first.received)
    assert ((EML / "plain.eml").read_bytes(), True) == (second.mail.raw, second.is_read)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 1 is not JSON"),
        ('{"received": "noon"}', "line 1: 'received' must be a date with a time in ISO 8601, not 'noon'"),
        ('{"received": 7}', "line 1: 'received' must be a date with a time"),
        ("7", "line 1: must be a table"),
        ('{"folder": "Inbox"}', "line 1: 'received' must be a date with a time and is missing"),
        ('{"folder": "Inbox", "colour": "red"}', "line 1: unknown key 'colour'"),
    ],
)
def test_invalid_json_lines(tmp_path: Path, line: str, complaint: str) -> None:
    """An error in a file of JSON lines names the file and the line."""
    (tmp_path / "mails.jsonl").write_text(line, encoding="utf-8")

    with pytest.raises(InvalidRequest, match=re.escape(f"mails.jsonl, {complaint}")):
        described(tmp_path, HEAD + 'mail_files = ["mails.jsonl"]')


def test_a_mail_defined_in_the_file(tmp_path: Path) -> None:
    """A mail defined in the file has the values of its keys; without `to` it is addressed to the owner."""
    sample = described(
        tmp_path,
        HEAD
        + """
        folders = ["A/B", ["R/D", "x"]]
        [[mail]]
        from = "Ada <ada@example.com>"
        cc = "Bo <bo@example.com>, cy@example.com"
        subject = "Hi"
        text = "one\\ntwo"
        importance = "Low"
        folder = ["R/D", "x"]
        received = 2026-03-01T10:00:00+01:00
        flagged = true
        attachments = [{name = "a.csv", text = "1,2"}, {name = "p.png", base64 = "iVBO", content_id = "p"}]
        """,
    )
    item = sample.mails[0]
    when = microseconds(datetime(2026, 3, 1, 9, tzinfo=UTC))

    assert sample.folders == (("A", "B"), ("R/D", "x"))
    assert (("R/D", "x"), when, False, True) == (item.folder, item.received, item.is_read, item.is_flagged)
    assert (Address("ada@example.com", "Ada"), (Address("me@example.com", "Me"),)) == (item.mail.sender, item.mail.to)
    assert (Address("bo@example.com", "Bo"), Address("cy@example.com")) == item.mail.cc
    assert ("one\r\ntwo", False, Importance.Low) == (item.mail.body, item.mail.is_html, item.mail.importance)
    assert when == item.mail.sent
    assert item.mail.attachments == (
        Attachment("a.csv", b"1,2", "text/csv"),
        Attachment("p.png", b"\x89PN", "image/png", is_inline=True, content_id="p"),
    )


def test_a_mail_from_the_owner(tmp_path: Path) -> None:
    """A mail without `from` is from the owner, and may have no recipient."""
    mail = described(tmp_path, MAIL + 'subject = "Note"').mails[0].mail

    assert (Address("me@example.com", "Me"), ()) == (mail.sender, mail.to)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_mail_from_a_file(tmp_path: Path, is_own: bool) -> None:
    """A file is looked up beside mailbox.toml first, then in the fixtures, and its bytes are kept."""
    raw = b"Subject: Mine\r\n\r\nHi" if is_own else (EML / "plain.eml").read_bytes()
    if is_own:
        (tmp_path / "eml").mkdir()
        (tmp_path / "eml" / "plain.eml").write_bytes(raw)

    assert raw == described(tmp_path, MAIL + 'file = "eml/plain.eml"').mails[0].mail.raw


@pytest.mark.parametrize("name", ["nobody", "", "../office", "x" * 5000, "a\0b"])
def test_unknown_names(name: str) -> None:
    """An unknown name is rejected, and the error lists the samples."""
    with pytest.raises(InvalidRequest, match="archive, empty, office"):
        load(name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("address = ", "is not TOML"),
        ('display_name = "Me"', "'address' must be a text and is missing"),
        ('address = 7\ndisplay_name = "Me"', "'address' must be a text"),
        (HEAD + 'adress = "x"', "unknown key 'adress'"),
        (HEAD + "folders = [7]", "a folder must be a path"),
        (HEAD + 'folders = ["a//b"]', "a folder must be a path"),
        (HEAD + "folders = [[]]", "a folder must be a path"),
        (HEAD + "mail = 7", "'mail' must be a list"),
        (HEAD + "mail = [7]", "mail 1: must be a table"),
        (HEAD + '[[mail]]\nfolder = "Inbox"', "mail 1: 'received' must be a date with a time and is missing"),
        (HEAD + '[[mail]]\nfolder = "Inbox"\nreceived = 2026-03-01', "'received' must be a date with a time"),
        (HEAD + "[[mail]]\nreceived = 2026-03-01T10:00:00Z", "a folder must be a path"),
        (MAIL + "read = 1", "'read' must be true or false"),
        (MAIL + 'importance = "Huge"', "'importance' must be one of Low, Normal, High"),
        (MAIL + 'file = "eml/none.eml"', "there is no file 'eml/none.eml'"),
        (MAIL + 'file = "../../pyproject.toml"', "there is no file"),
        (MAIL + 'file = "/etc/hostname"', "there is no file"),
        (MAIL + 'file = "eml/plain.eml"\nsubject = "x"', "unknown key 'subject'"),
        (MAIL + 'file = "office/mailbox.toml"', "not a mail"),
        (MAIL + "attachments = [{}]", "attachments 1: 'name' must be a text and is missing"),
        (MAIL + 'attachments = [{name = "x", base64 = "?"}]', "'base64' is not base64"),
        (HEAD + 'mail_files = ["none.jsonl"]', "there is no file 'none.jsonl'"),
        (HEAD + "[generate]\ncount = 5", "unknown key 'generate'"),
    ],
)
def test_invalid_file(tmp_path: Path, text: str, complaint: str) -> None:
    """An error in a user's file names the place and the expected value."""
    with pytest.raises(InvalidRequest, match=complaint):
        described(tmp_path, text)


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    """A file in another encoding than UTF-8 is rejected with that reason."""
    (tmp_path / "mailbox.toml").write_bytes('display_name = "Zoë"'.encode("latin-1"))

    with pytest.raises(InvalidRequest, match="not in UTF-8"):
        load(str(tmp_path))


# Files in the folders of a sample


EML_TEXT = "Date: Mon, 12 Jan 2026 08:00:00 +0000\r\nSubject: {}\r\n\r\nHi"
ICS_TEXT = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTART:20260114T090000Z\r\nDTEND:20260114T093000Z\r\n"
    "SUMMARY:{0}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
VCF_TEXT = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{}\r\nEND:VCARD\r\n"
FILES = {
    "mailbox.toml": HEAD,
    "mail/Inbox/a.eml": EML_TEXT.format("a"),
    "mail/direct.EML": EML_TEXT.format("direct"),
    "mail/Sent Items/b.eml": EML_TEXT.format("b"),
    "mail/Projects/Engine/c.eml": EML_TEXT.format("c"),
    "mail/notes.txt": "not a mail",
    "calendars/d.ics": ICS_TEXT.format("d"),
    "calendars/Team/e.ics": ICS_TEXT.format("e"),
    "contacts/f.vcf": VCF_TEXT.format("f"),
    "contacts/Friends/g.vcf": VCF_TEXT.format("g"),
}


def folder_of(directory: Path, files: dict[str, str]) -> Sample:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode())
    return load(str(directory))


def zip_of(directory: Path, files: dict[str, str]) -> Sample:
    folder_of(directory, files)
    return unpacked(packed(directory), 1_000_000)


@pytest.mark.parametrize("make", [folder_of, zip_of])
def test_files_in_folders(tmp_path: Path, make: Callable[..., Sample]) -> None:
    """Mails, events and contacts are taken from files in folders that name where they belong, also from a zip file."""
    sample = make(tmp_path, FILES)
    mails = {item.mail.subject: (item.folder, item.is_read) for item in sample.mails}

    assert mails == {
        "a": (("Inbox",), False),
        "direct": (("Inbox",), False),
        "b": (("Sent Items",), True),
        "c": (("Projects", "Engine"), False),
    }
    assert {microseconds(datetime(2026, 1, 12, 8, tzinfo=UTC))} == {item.received for item in sample.mails}
    assert {"Calendar": ["d"], "Team": ["e"]} == {
        name: [series.event.subject for series in content] for name, content in sample.calendars.items()
    }
    assert {"Contacts": ["f"], "Friends": ["g"]} == {
        name: [card.display_name for card in content] for name, content in sample.contacts.items()
    }


def test_files_are_added_to_the_description(tmp_path: Path) -> None:
    """Files in folders come on top of what the description names."""
    files = FILES | {
        "mailbox.toml": MAIL + 'subject = "named"\n[[calendar]]\nname = "Team"\nfiles = ["calendars/d.ics"]\n'
    }
    sample = folder_of(tmp_path, files)

    assert "named" == sample.mails[0].mail.subject
    assert 5 == len(sample.mails)
    assert ["d", "e"] == [series.event.subject for series in sample.calendars["Team"]]


def test_a_mail_without_a_date(tmp_path: Path) -> None:
    """A mail without a date cannot be placed in time; it is left out, and the reason says how to give it one."""
    sample = folder_of(tmp_path, {"mailbox.toml": HEAD, "mail/a.eml": "Subject: a\r\n\r\nHi"})

    (skipped,) = sample.skipped
    assert skipped.item == "mail/a.eml"
    assert re.search(r"the mail has no date\. Move the file .* with 'received'", skipped.reason)


def test_described() -> None:
    """A mapping with the keys of mailbox.toml describes a mailbox; files are texts in it."""
    sample = described_by(
        {
            "address": "me@example.com",
            "display_name": "Me",
            "mail": [
                {"folder": "Inbox", "received": "2026-01-12T08:00:00Z", "subject": "a"},
                {"folder": "Inbox", "received": "2026-01-12T08:00:00Z", "eml": EML_TEXT.format("b")},
            ],
            "calendar": [{"name": "Calendar", "ics": ICS_TEXT.format("c")}],
            "contacts": [{"name": "Contacts", "vcf": VCF_TEXT.format("d")}],
        }
    )

    assert ["a", "b"] == [item.mail.subject for item in sample.mails]
    assert ["c"] == [series.event.subject for series in sample.calendars["Calendar"]]
    assert ["d"] == [card.display_name for card in sample.contacts["Contacts"]]


def test_described_reads_no_files(tmp_path: Path) -> None:
    """A mapping cannot name files of the machine: it may come from another one."""
    (tmp_path / "a.eml").write_text(EML_TEXT)
    mail = {"folder": "Inbox", "received": "2026-01-12T08:00:00Z", "file": str(tmp_path / "a.eml")}

    with pytest.raises(InvalidRequest, match="there is no file"):
        described_by({"address": "me@example.com", "display_name": "Me", "mail": [mail]})


def test_invalid_zip_files(tmp_path: Path) -> None:
    """What is no zip file, has no description, leads outside, or unpacks to too much is refused."""
    escaping = BytesIO()
    with ZipFile(escaping, "w") as archive:
        archive.writestr("mailbox.toml", MAIL + 'file = "../../etc/hostname"')
        archive.writestr("../../etc/hostname.eml", "x")
    empty = BytesIO()
    with ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "x" * 2000)

    with pytest.raises(InvalidRequest, match="is not a zip file"):
        unpacked(b"PK", 1000)
    with pytest.raises(InvalidRequest, match=r"has no mailbox\.toml"):
        unpacked(empty.getvalue(), 10_000)
    with pytest.raises(BodyTooLarge):
        unpacked(empty.getvalue(), 1000)
    with pytest.raises(InvalidRequest, match="there is no file"):
        unpacked(escaping.getvalue(), 10_000)


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_damaged_zip_files(compression: int) -> None:
    """A zip file with damaged content is refused, however it is compressed, and the error names the file in it."""
    intact = BytesIO()
    with ZipFile(intact, "w", compression) as archive:
        archive.writestr("mailbox.toml", HEAD + "# " + "".join(chr(65 + number % 50) for number in range(3000)))
    damaged = bytearray(intact.getvalue())
    start = damaged.index(b"mailbox.toml") + len("mailbox.toml") + 4
    damaged[start : start + 36] = bytes(byte ^ 0xFF for byte in damaged[start : start + 36])

    with pytest.raises(InvalidRequest, match=r"The file 'mailbox\.toml' cannot be read from the zip file"):
        unpacked(bytes(damaged), 10_000)


@pytest.mark.parametrize("make", [folder_of, zip_of])
@pytest.mark.parametrize("name", ["mail/a.eml", "calendars/a.ics", "contacts/a.vcf"])
def test_unreadable_files_are_left_out(tmp_path: Path, make: Callable[..., Sample], name: str) -> None:
    """Among many files, one that cannot be read costs no other, and is named."""
    sample = make(tmp_path, {**FILES, "mailbox.toml": HEAD, name: "nonsense"})
    whole = make(tmp_path / "whole", {**FILES, "mailbox.toml": HEAD})

    assert [(item.item, item.line) for item in sample.skipped] == [(name, None)]
    assert sample.size == whole.size > 0


def test_files_that_are_named_must_be_readable(tmp_path: Path) -> None:
    """A file that the description names is refused as a whole if nothing can be taken from it."""
    with pytest.raises(InvalidRequest, match=r"^odd\.vcf: "):
        folder_of(
            tmp_path,
            {"mailbox.toml": HEAD + '[[contacts]]\nname = "C"\nfiles = ["odd.vcf"]\n', "odd.vcf": "nonsense"},
        )


def test_parts_of_files_are_left_out(tmp_path: Path) -> None:
    """What a file has besides contacts is left out, and named with the file and the line."""
    card = "BEGIN:VCARD\nFN:Ann\nno line\nEND:VCARD\n"
    sample = folder_of(tmp_path, {"mailbox.toml": HEAD, "contacts/a.vcf": card})

    assert [card.display_name for card in sample.contacts["Contacts"]] == ["Ann"]
    assert [str(item) for item in sample.skipped] == [
        "contacts/a.vcf: card \"Ann\", line 3: It is not a property: 'no line'."
    ]


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """A file that is a link to one outside of the folder is not read."""
    box = tmp_path / "box"
    folder_of(box, {"mailbox.toml": HEAD, "mail/a.eml": EML_TEXT.format("a")})
    (tmp_path / "b.eml").write_text(EML_TEXT.format("b"))
    (box / "mail" / "b.eml").symlink_to(tmp_path / "b.eml")

    sample = load(str(box))

    assert [mail.mail.subject for mail in sample.mails] == ["a"]
    assert [str(item) for item in sample.skipped] == [
        "mail/b.eml: it is a link that leads out of the folder. Put the file itself there."
    ]


def test_a_description_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Some editors begin a file with a byte order mark."""
    assert folder_of(tmp_path, {"mailbox.toml": "\ufeff" + HEAD}).mails == ()


def test_a_description_that_nests_too_deep(tmp_path: Path) -> None:
    """A description with thousands of brackets is refused like any other that is not valid."""
    with pytest.raises(InvalidRequest, match=r"mailbox\.toml nests too deep"):
        folder_of(tmp_path, {"mailbox.toml": HEAD + "x = " + "[" * 5000})


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000])
def test_described_names_no_possible_file(name: str) -> None:
    """A name that no file can have is the name of a file that does not exist."""
    mail = {"folder": "Inbox", "received": "2026-01-12T08:00:00Z", "file": name}

    with pytest.raises(InvalidRequest, match="there is no file"):
        described_by({"address": "me@example.com", "display_name": "Me", "mail": [mail]})
