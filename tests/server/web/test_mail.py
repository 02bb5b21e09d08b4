"""The pages of a mailbox: lists, messages and deliveries."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from tests.conftest import Connection
from tests.paths import EML
from tests.server.web.forms import PageReader, Visitor, text_of


def list_url(mailbox: Connection, **query: str | int) -> str:
    """The path of the list of a mailbox below the page of its sandbox."""
    return f"m/{mailbox.id}/mail?{httpx.QueryParams(query)}"


def message_url(mailbox: Connection, id: str) -> str:
    return f"m/{mailbox.id}/mail/message/{id}"


def subjects(web: Visitor, path: str) -> list[str]:
    """The subjects in a list, in its order."""
    return re.findall(r'<td class="what"><a [^>]+>([^<]*)</a>', unescape(web.get(path)))


def link(html: str, label: str) -> str:
    """The target of the link with a label."""
    return unescape(re.search(rf'href="([^"]+)">{label}</a>', html)[1])  # type: ignore[index]


# The list


def test_list(alice: Connection, bob: Connection, web: Visitor) -> None:
    """A list shows the newest mails first, with sender, preview and what is special about them."""
    alice.deliver(subject="Older", text="first words", sender="carol@example.org", is_read=True)
    alice.deliver(subject="Newer", importance="High", is_flagged=True)
    bob.deliver(subject="Another mailbox")
    text = web.text(list_url(alice))

    assert ["Newer", "Older"] == subjects(web, list_url(alice))
    assert "stranger@example.org Newer unread flagged high" in text
    assert "carol@example.org Older first words" in text
    assert "Inbox 1 unread Drafts" in text


def test_folders(alice: Connection, web: Visitor) -> None:
    """The tree has all folders, and a folder whose name has a slash is reached by its id."""
    alice.api.post(f"/connections/{alice.id}/folders", json={"path": "Projects/Engine"}).raise_for_status()
    alice.api.post(f"/connections/{alice.id}/folders", json={"names": ["R/D"]}).raise_for_status()
    alice.deliver(subject="Plan", folder="Projects/Engine")
    html = web.get(list_url(alice))

    assert ["Plan"] == subjects(web, link(html, "Engine <strong>.*?</strong>"))
    assert "R/D" in PageReader(web.get(link(html, "R/D"))).title


def test_sent_items_show_recipients(alice: Connection, web: Visitor) -> None:
    """Sent Items show to whom a mail went."""
    alice.send("dave@elsewhere.example", subject="Hello Dave")

    assert "To Subject Received dave@elsewhere.example Hello Dave" in web.text(list_url(alice, folder="Sent Items"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["c", "b", "a"]),
        ({"unread": "1"}, ["c", "b"]),
        ({"flagged": "1"}, ["b"]),
        ({"attachment": "1"}, ["c"]),
        ({"importance": "high"}, ["a"]),
        ({"since": "2026-02-02"}, ["c", "b"]),
        ({"until": "2026-02-02"}, ["b", "a"]),
        ({"since": "2026-02-02", "until": "2026-02-02"}, ["b"]),
        ({"search": "from:carol"}, ["c", "a"]),
        ({"search": "from:carol received<2026-02-02"}, ["a"]),
        ({"search": "from:carol", "unread": "1"}, ["c"]),
        ({"search": "from:carol", "since": "2026-02-02"}, ["c"]),
        ({"search": "from:carol", "until": "2026-02-02"}, ["a"]),
        ({"search": "from:(carol OR dave) NOT b"}, ["c", "a"]),
        ({"search": "nothing"}, []),
    ],
)
def test_filters(alice: Connection, web: Visitor, query: dict[str, str], expected: list[str]) -> None:
    """Filters and searches narrow the list, alone and together; a day belongs to both of its ends."""
    file = {"Name": "a.txt", "ContentBytes": "QQ=="}
    carol, dave = "carol@example.org", "dave@example.org"
    alice.deliver(subject="a", sender=carol, received="2026-02-01T23:59:59Z", is_read=True, importance="High")
    alice.deliver(subject="b", sender=dave, received="2026-02-02T12:00:00Z", is_flagged=True)
    alice.deliver(subject="c", sender=carol, received="2026-02-03T00:00:00Z", attachments=[file])

    assert expected == subjects(web, list_url(alice, **query))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"search": '"open'}, "The field 'Search' cannot be read at position 1: a quote is never closed."),
        ({"since": "yesterday"}, "'since' must be an ISO 8601 date and time, not 'yesterday'."),
        ({"before": "x"}, "'x' is no position in a folder."),
        ({"before": f"{2**63}-1"}, "is no position in a folder."),
    ],
)
def test_refused_filters(alice: Connection, web: Visitor, query: dict[str, str], problem: str) -> None:
    """A filter that cannot be read is explained on the page, which keeps it for mending."""
    alice.deliver(subject="a")

    assert problem in web.text(list_url(alice, **query))


@pytest.mark.parametrize("query", [{}, {"search": "number"}, {"unread": "1"}])
def test_paging(alice: Connection, web: Visitor, query: dict[str, str]) -> None:
    """Pages neither repeat nor leave out a mail of the same instant, also when another one arrives meanwhile."""
    for number in range(120):
        alice.deliver(subject=f"number {number}")
    first = web.get(list_url(alice, **query))
    alice.deliver(subject="number 120, meanwhile")
    second = web.get(link(first, "Older"))
    third = web.get(link(second, "Older"))
    seen = [int(number) for html in (first, second, third) for number in re.findall(r">number (\d+)</a>", html)]

    assert list(range(119, -1, -1)) == seen
    assert ">Older<" not in third
    assert "meanwhile" in web.get(link(third, "Newest"))


def test_unknown_folder(alice: Connection, web: Visitor) -> None:
    """A folder that does not exist is not found."""
    web.get(list_url(alice, folder="Nowhere"), 404)


# A message


def test_message(alice: Connection, web: Visitor) -> None:
    """A message shows who wrote to whom and when, and looking at it leaves it unread."""
    mail = alice.deliver(EML / "attachments.eml")
    html = web.get(message_url(alice, mail["Id"]))

    assert mail["Subject"] in text_of(html)
    assert mail["From"] in text_of(html)
    assert not alice.mail()["IsRead"]


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("text", "Blue & green"),
        ("headers", "X-Unit Blüe"),
        ("source", "<p>Blue &amp; green</p>"),
        ("json", '"BodyPreview": "Blue & green"'),
    ],
)
def test_views(alice: Connection, web: Visitor, view: str, shown: str) -> None:
    """A mail is shown as text, with its decoded headers, as its source, and as JSON."""
    mime = (
        b"From: carol@example.org\r\nTo: alice@example.com\r\nSubject: Views\r\nX-Unit: =?utf-8?q?Bl=C3=BCe?=\r\n"
        b"Content-Type: text/html\r\n\r\n<p>Blue &amp; green</p>\r\n"
    )
    mail = alice.deliver(mime)
    text = web.text(f"{message_url(alice, mail['Id'])}?view={view}")

    assert shown in text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(b"X-Unit: =?utf-8?b?a?=", "X-Unit", id="an encoded word without content"),
        pytest.param(b"a fold that lost its blank", "From carol@example.org", id="a line that is no header"),
        pytest.param(b"X-Unit: =?x-sjis?b?g2WDWINn?=", "X-Unit テスト", id="a charset of browsers"),
        pytest.param("X-Unit: Blüe".encode("latin-1"), "X-Unit Blüe", id="no encoded word"),
    ],
)
def test_odd_headers(alice: Connection, web: Visitor, line: bytes, shown: str) -> None:
    """The headers of a mail are read as those of a delivered mail are, and an odd line hides no other."""
    mail = alice.deliver(b"From: carol@example.org\r\n" + line + b"\r\nX-After: still here\r\n\r\nHi\r\n")
    text = web.text(f"{message_url(alice, mail['Id'])}?view=headers")

    assert "X-After still here" in text
    assert shown in text


def test_plain_text_has_no_html(alice: Connection, web: Visitor) -> None:
    """A mail in plain text is shown as text, and has no HTML."""
    mail = alice.deliver(text="if a <b>")
    url = message_url(alice, mail["Id"])

    assert "if a &lt;b&gt;" in web.get(url)
    assert "This mail has no view &#39;html&#39;" in web.get(f"{url}?view=html", 400)
    web.get(f"{url}/html", 404)


def test_answer_of_the_connector(alice: Connection, web: Visitor) -> None:
    """The JSON is what GetEmail answers, and the curl line asks for it; attachments come on request."""
    file = {"Name": "a.txt", "ContentBytes": "QUJD"}
    mail = alice.deliver(subject="Quote ' and \"", attachments=[file])
    url = f"{message_url(alice, mail['Id'])}?view=json"
    body = alice.http.get(f"/Mail/{mail['Id']}").json()
    page = unescape(web.get(url))

    assert all(f'"{name}": ' in page for name in body)
    assert f"'{alice.http.base_url}Mail/{mail['Id']}'" in page
    assert '"ContentBytes": null' in page
    assert '"ContentBytes": "QUJD"' in web.get(link(page, "With the content of the attachments")).replace("&#34;", '"')


def test_attachments(alice: Connection, web: Visitor) -> None:
    """Each attachment can be saved, also those that the connector does not show, which are marked."""
    files = [{"Name": "page.html", "ContentBytes": "PHNjcmlwdD4="}, {"Name": "old.eml", "ContentBytes": "WA=="}]
    mail = alice.deliver(text="two files", attachments=files)
    url = message_url(alice, mail["Id"])
    saved = web.http.get(f"{web.base}{url}/files/1")

    assert b"<script>" == saved.content
    assert "attachment; filename*=UTF-8''page.html" == saved.headers["content-disposition"]
    assert "nosniff" == saved.headers["x-content-type-options"]
    assert b"X" == web.http.get(f"{web.base}{url}/files/2").content
    assert "old.eml message/rfc822 1 bytes not shown by the connector" in web.text(url)
    assert 1 == web.text(url).count("not shown by the connector")
    for number in ("0", "3", "-1", "x", "²", "9" * 30):
        web.get(f"{url}/files/{number}", 404)


def test_source(alice: Connection, web: Visitor) -> None:
    """The source of a mail is saved as it came."""
    mime = (EML / "latin-1.eml").read_bytes()
    mail = alice.deliver(mime)
    response = web.http.get(f"{web.base}{message_url(alice, mail['Id'])}/source")

    assert mime == response.content
    assert response.headers["content-disposition"].endswith(".eml")


def test_mark_and_flag(alice: Connection, web: Visitor) -> None:
    """A message can be marked and flagged, and both taken back; the connector and the search see it."""
    url = message_url(alice, alice.deliver(subject="Marks")["Id"])
    states = []
    for action in ("read", "flag", "unread", "unflag"):
        web.send(url, action)
        mail = alice.mail()
        states.append((mail["IsRead"], len(subjects(web, list_url(alice, search="isflagged:true")))))

    assert [(True, 0), (True, 1), (False, 1), (False, 0)] == states


def test_move_and_delete(alice: Connection, web: Visitor) -> None:
    """A moved message has a new page; deleting moves it to Deleted Items, and there deletes it for good."""
    url = message_url(alice, alice.deliver(subject="Away")["Id"])
    moved = web.send(url, "move", folder="Archive").headers["location"]

    web.get(url, 404)
    assert "Archive" in web.text(moved)
    assert web.send(moved, "delete").headers["location"].endswith("folder=Archive")
    assert ["Away"] == subjects(web, list_url(alice, folder="Deleted Items"))
    last = link(web.get(list_url(alice, folder="Deleted Items")), "Away")
    web.send(last, "delete")
    assert [] == subjects(web, list_url(alice, folder="Deleted Items"))


def test_move_nowhere(alice: Connection, web: Visitor) -> None:
    """A message cannot be moved to a folder that does not exist, and stays."""
    mail = alice.deliver(subject="Stays")

    web.refusal(message_url(alice, mail["Id"]), "move", folder="Nowhere")
    assert mail["Id"] == alice.mail()["Id"]


def test_mails_of_others(alice: Connection, bob: Connection, web: Visitor) -> None:
    """A message is found in its own mailbox only."""
    web.get(message_url(bob, alice.deliver(subject="Mine")["Id"]), 404)


# Delivery


def test_deliver(alice: Connection, web: Visitor) -> None:
    """A mail that is written in the form arrives as it was written."""
    people: dict[str, Any] = {"from": "Carol <carol@example.org>", "cc": "dave@example.com"}
    target = web.send(
        f"m/{alice.id}/mail/deliver",
        "deliver",
        **people,
        to="alice@example.com; bob@example.com",
        subject="Written",
        format="html",
        importance="High",
        body="<p>one</p>\r\n",
        files={"attachments": ("ä.txt", b"ABC", "text/plain")},
    ).headers["location"]
    (mail,) = alice.mails(includeAttachments=True)

    assert "Written" in web.text(target)
    assert ("carol@example.org", "alice@example.com;bob@example.com", "dave@example.com") == (
        mail["From"],
        mail["To"],
        mail["Cc"],
    )
    assert mail["IsHtml"]
    assert 2 == mail["Importance"]
    assert ("ä.txt", "QUJD") == (mail["Attachments"][0]["Name"], mail["Attachments"][0]["ContentBytes"])


def test_deliver_to_a_folder(alice: Connection, web: Visitor) -> None:
    """A mail may arrive in another folder, as plain text, without more than a sender."""
    fields: dict[str, Any] = {"from": "c@example.org", "folder": "New/Here", "body": "plain"}
    web.send(f"m/{alice.id}/mail/deliver", "deliver", **fields)

    assert ["(no subject)"] == subjects(web, list_url(alice, folder="New/Here"))


@pytest.mark.parametrize(("sender", "problem"), [("", "'from' must be one mail address."), ("x", "is not resolved")])
def test_refused_delivery(alice: Connection, web: Visitor, sender: str, problem: str) -> None:
    """A mail without a valid sender is refused with a reason, and what was written stays."""
    assert problem in web.refusal(f"m/{alice.id}/mail/deliver", "deliver", **{"from": sender}, subject="kept")
    assert [] == alice.mails()


def test_deliver_files(alice: Connection, web: Visitor) -> None:
    """Files with mails arrive; a single one leads to its page, several to the list."""
    plain = ("mails", ("plain.eml", (EML / "plain.eml").read_bytes(), "message/rfc822"))
    latin = ("mails", ("latin-1.eml", (EML / "latin-1.eml").read_bytes(), "application/octet-stream"))

    assert "/mail/message/" in web.send(list_url(alice), "import", files=[plain]).headers["location"]
    assert web.send(list_url(alice), "import", files=[plain, latin]).headers["location"].endswith("/mail")
    assert 3 == len(alice.mails())
    assert "'mails' must be a file at least." == web.refusal(list_url(alice), "import")


def test_a_file_that_is_no_mail_stops_no_other(alice: Connection, web: Visitor) -> None:
    """Of several files those with mails arrive, and the page names the others."""
    plain = ("mails", ("plain.eml", (EML / "plain.eml").read_bytes(), "message/rfc822"))
    note = ("mails", ("note.eml", b"no mail", "message/rfc822"))
    html = web.send(list_url(alice), "import", 400, files=[note, plain]).text

    assert "Delivered 1 of 2 files. note.eml: The content is not a mail" in text_of(html)
    assert 1 == len(alice.mails())
