"""Sample mailboxes: what ships, what is made up, and what is refused in a file of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.message import Address, Attachment
from outlook_emulator.sandbox.samples import Sample, load, names
from tests.paths import EML

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
    """Each sample mailbox has its own owner, so that several fit in one sandbox."""
    seed = load(name)

    assert (address, display_name) == (seed.address, seed.display_name)


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_lie_in_known_folders(name: str) -> None:
    """A sample's mails lie in folders that it lists or every mailbox has: a misspelt one would make a new folder."""
    seed = load(name)

    assert {one.folder for one in seed.mails} <= {*seed.folders, *((own,) for own in OWN_FOLDERS)}


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_are_to_or_from_the_owner(name: str) -> None:
    """No mail got lost on its way: the owner wrote it, receives it, or it came over a list."""
    seed = load(name)
    strangers = [
        one.mail.subject
        for one in seed.mails
        if seed.address not in {address.address for address in (*one.mail.to, *one.mail.cc, *one.mail.bcc)}
        and one.mail.sender != Address(seed.address, seed.display_name)
        and "List-Id" not in dict(one.mail.headers)
    ]

    assert strangers == []


@pytest.mark.parametrize("name", ["office", "archive"])
def test_mails_arrive_in_order(name: str) -> None:
    """Mails come oldest first, none before it was sent."""
    mails = load(name).mails

    assert sorted(one.received for one in mails) == [one.received for one in mails]
    assert all(one.mail.sent is not None and one.mail.sent <= one.received for one in mails)


def test_empty() -> None:
    """The empty mailbox is empty."""
    assert Sample(address="quiet@example.com", display_name="Quiet Quill") == load("empty")


def test_office_has_something_of_everything(office: Sample) -> None:
    """The office holds read and unread, flagged, encrypted, inline and nested, in a folder with a slash too."""
    mails = office.mails

    assert {True, False} == {one.is_read for one in mails} == {one.is_flagged for one in mails}
    assert {True, False} == {one.mail.is_html for one in mails} == {one.mail.is_encrypted for one in mails}
    assert {True, False} == {file.is_inline for one in mails for file in one.mail.attachments}
    assert set(Importance) == {one.mail.importance for one in mails}
    assert [one.folder for one in mails if one.mail.subject == "The paper, again"] == [("R/D",)]
    assert any(file.content_type == "message/rfc822" for one in mails for file in one.mail.attachments)


@pytest.mark.parametrize("name", ["office", "archive"])
def test_answers_follow_what_they_answer(name: str) -> None:
    """Every answer in a sample names an earlier mail of it."""
    seen: set[str | None] = set()
    for one in load(name).mails:
        assert one.mail.in_reply_to is None or one.mail.in_reply_to in seen
        assert set(one.mail.references) <= seen
        seen.add(one.mail.message_id)


def test_archive_is_large_and_mixed(archive: Sample) -> None:
    """The archive has its 2,000 mails in all shares, with answers, attachments and importance among them."""
    mails = archive.mails
    first, last = mails[0].received, mails[-1].received

    assert len(mails) == 2000
    assert len({one.mail.message_id for one in mails}) == 2000
    assert 300 < sum(one.folder == ("Sent Items",) for one in mails) < 500
    assert 400 < sum(one.mail.in_reply_to is not None for one in mails) < 1000
    assert 200 < sum(bool(one.mail.attachments) for one in mails) < 400
    assert 50 < sum(one.is_flagged for one in mails) < 150
    assert 200 < sum(not one.is_read for one in mails) < 500
    assert set(Importance) == {one.mail.importance for one in mails}
    assert microseconds(datetime(2025, 1, 1, tzinfo=UTC)) <= first < microseconds(datetime(2025, 1, 2, tzinfo=UTC))
    assert microseconds(datetime(2025, 12, 31, tzinfo=UTC)) <= last < microseconds(datetime(2026, 1, 1, tzinfo=UTC))


def test_archive_is_the_same_every_time(archive: Sample) -> None:
    """Made-up mail comes from the fixed seed alone."""
    assert archive == load("archive")


def test_another_seed_makes_other_mail(tmp_path: Path) -> None:
    """The seed in the file decides, so a different one gives different mails."""
    first, second = (
        described(tmp_path, HEAD + f"[generate]\ncount = 5\nseed = {seed}\nfolders = {{Inbox = 1}}") for seed in (1, 2)
    )

    assert [len(first.mails), len(second.mails)] == [5, 5]
    assert first.mails != second.mails


def test_a_mail_written_in_the_file(tmp_path: Path) -> None:
    """A mail written in the file has what it says, and goes to the owner when it does not say whereto."""
    seed = described(
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
    one = seed.mails[0]
    when = microseconds(datetime(2026, 3, 1, 9, tzinfo=UTC))

    assert seed.folders == (("A", "B"), ("R/D", "x"))
    assert (("R/D", "x"), when, False, True) == (one.folder, one.received, one.is_read, one.is_flagged)
    assert (Address("ada@example.com", "Ada"), (Address("me@example.com", "Me"),)) == (one.mail.sender, one.mail.to)
    assert (Address("bo@example.com", "Bo"), Address("cy@example.com")) == one.mail.cc
    assert ("one\r\ntwo", False, Importance["Low"]) == (one.mail.body, one.mail.is_html, one.mail.importance)
    assert when == one.mail.sent
    assert one.mail.attachments == (
        Attachment("a.csv", b"1,2", "text/csv"),
        Attachment("p.png", b"\x89PN", "image/png", is_inline=True, content_id="p"),
    )


def test_a_mail_from_the_owner(tmp_path: Path) -> None:
    """A mail that names no sender is the owner's own, and a draft need not name anybody."""
    mail = described(tmp_path, MAIL + 'subject = "Note"').mails[0].mail

    assert (Address("me@example.com", "Me"), ()) == (mail.sender, mail.to)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_mail_from_a_file(tmp_path: Path, is_own: bool) -> None:
    """A file is looked for beside mailbox.toml first and among the sample mails then, and keeps its bytes."""
    raw = b"Subject: Mine\r\n\r\nHi" if is_own else (EML / "plain.eml").read_bytes()
    if is_own:
        (tmp_path / "eml").mkdir()
        (tmp_path / "eml" / "plain.eml").write_bytes(raw)

    assert raw == described(tmp_path, MAIL + 'file = "eml/plain.eml"').mails[0].mail.raw


@pytest.mark.parametrize("name", ["nobody", "", "../office", "x" * 5000, "a\0b"])
def test_unknown_names(name: str) -> None:
    """A name that is no sample and no directory with a mailbox.toml is refused, with the names there are."""
    with pytest.raises(InvalidRequest, match="archive, empty, office"):
        load(name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("address = ", "is not TOML"),
        ('display_name = "Me"', "'address' must be a text and is missing"),
        ('address = 7\ndisplay_name = "Me"', "'address' must be a text"),
        (HEAD + 'adress = "x"', "there is no 'adress'"),
        (HEAD + "folders = [7]", "a folder is a path"),
        (HEAD + 'folders = ["a//b"]', "a folder is a path"),
        (HEAD + "folders = [[]]", "a folder is a path"),
        (HEAD + "mail = 7", "'mail' must be a list"),
        (HEAD + "mail = [7]", "mail 1: a table was expected"),
        (HEAD + '[[mail]]\nfolder = "Inbox"', "mail 1: 'received' must be a date with a time and is missing"),
        (HEAD + '[[mail]]\nfolder = "Inbox"\nreceived = 2026-03-01', "'received' must be a date with a time"),
        (HEAD + "[[mail]]\nreceived = 2026-03-01T10:00:00Z", "a folder is a path"),
        (MAIL + "read = 1", "'read' must be true or false"),
        (MAIL + 'importance = "Huge"', "'importance' must be one of Low, Normal, High"),
        (MAIL + 'file = "eml/none.eml"', "there is no file 'eml/none.eml'"),
        (MAIL + 'file = "../../pyproject.toml"', "there is no file"),
        (MAIL + 'file = "/etc/hostname"', "there is no file"),
        (MAIL + 'file = "eml/plain.eml"\nsubject = "x"', "there is no 'subject'"),
        (MAIL + 'file = "office/mailbox.toml"', "not a mail"),
        (MAIL + "attachments = [{}]", "attachments 1: 'name' must be a text and is missing"),
        (MAIL + 'attachments = [{name = "x", base64 = "?"}]', "'base64' is not base64"),
        (HEAD + "[generate]\ncount = 5\nseed = 1", "'folders' must give each folder's share"),
        (HEAD + "[generate]\ncount = 5\nseed = 1\nfolders = {Inbox = 0}", "'folders' must give each folder's share"),
        (HEAD + "[generate]\ncount = 5\nseed = 1\nfolders = {}", "need a folder"),
        (HEAD + '[generate]\ncount = "5"\nseed = 1\nfolders = {Inbox = 1}', "'count' must be a whole number"),
        (HEAD + "[generate]\ncount = true\nseed = 1\nfolders = {Inbox = 1}", "'count' must be a whole number"),
    ],
)
def test_a_file_that_does_not_say_what_it_must(tmp_path: Path, text: str, complaint: str) -> None:
    """Whatever is wrong in a user's file is refused in words that name the place and what was expected."""
    with pytest.raises(InvalidRequest, match=complaint):
        described(tmp_path, text)


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    """TOML is UTF-8; anything else is refused as such."""
    (tmp_path / "mailbox.toml").write_bytes('display_name = "Zoë"'.encode("latin-1"))

    with pytest.raises(InvalidRequest, match="not in UTF-8"):
        load(str(tmp_path))
