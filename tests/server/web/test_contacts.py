"""The contacts of a mailbox over HTTP."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.conftest import Connection
from tests.server.web.forms import PageReader, Visitor, text_of

TWO = b"""BEGIN:VCARD
VERSION:4.0
FN:Ada Lovelace
N:Lovelace;Ada;;;
EMAIL:ada@example.com
ORG:Analytical Society
ADR;TYPE=work:;;12 Square;London;;W1;England
BDAY:18151210
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Charles Babbage
N:Babbage;Charles;;;
EMAIL:charles@example.com
END:VCARD
"""
HALF_BROKEN = TWO.replace(b"FN:Charles Babbage\nN:Babbage;Charles;;;\nEMAIL:charles@example.com\n", b"NOTE:nobody\n")


def page_of(connection: Connection, **query: Any) -> str:
    """The path of a mailbox's contacts, below its sandbox."""
    return str(httpx.URL(f"m/{connection.id}/contacts", params=query))


def import_cards(connection: Connection, file: bytes) -> None:
    path = f"/connections/{connection.id}/contactfolders/Contacts/import"
    connection.api.post(path, content=file, headers={"content-type": "text/vcard"}).raise_for_status()


def card_page(html: str) -> str:
    """The link to the only card of a list."""
    (link,) = [link for link in PageReader(html).links if re.search(r"/contacts/.", link)]
    return link


def test_create_and_delete(alice: Connection, web: Visitor) -> None:
    """The form creates a contact and leads to its card; deleting it leads back to the list."""
    card = web.send(
        page_of(alice),
        "create",
        GivenName="Grace",
        Surname="Hopper",
        email="grace@example.com",
        CompanyName="Navy",
        JobTitle="Admiral",
        MobilePhone1="+1 1",
        BusinessPhone="+1 2",
    ).headers["location"]
    text = web.text(card)

    assert "Grace Hopper grace@example.com" in web.text(page_of(alice))
    assert all(value in text for value in ("Company Navy", "Job title Admiral", "Mobile +1 1", "Business phones +1 2"))
    assert "This folder has no contact." in web.text(web.send(card, "delete").headers["location"])
    web.get(card, 404)


def test_refused_contact(alice: Connection, web: Visitor) -> None:
    """A contact without a given name is refused with the text of the connector."""
    assert "GivenName" in web.refusal(page_of(alice), "create", Surname="Hopper")


def test_card(alice: Connection, web: Visitor) -> None:
    """A card shows addresses and the birthday, and what the connector answers about it."""
    import_cards(alice, TWO)
    text = web.text(card_page(web.get(page_of(alice, q="ada"))))

    assert "Business address 12 Square, W1, London, England" in text
    assert "Birthday 1815-12-10" in text
    assert "ContactGetItem" in text
    assert '"DisplayName": "Ada Lovelace"' in text
    (url,) = re.findall(r"curl -s -H 'Authorization: Bearer anything' \\ '([^']+)'", text)
    answer = httpx.get(url, headers={"Authorization": "Bearer anything"}, trust_env=False).json()
    assert "Ada Lovelace" == answer["DisplayName"]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("", ["Ada Lovelace", "Charles Babbage"]),
        ("LOVE", ["Ada Lovelace"]),
        ("analytical ada", ["Ada Lovelace"]),
        ("charles@", ["Charles Babbage"]),
        ("ada charles", []),
        ("o'neil') or true", []),
    ],
)
def test_search(alice: Connection, web: Visitor, search: str, names: list[str]) -> None:
    """A search finds the contacts with all its words in name, company, job title or address."""
    import_cards(alice, TWO)

    assert names == re.findall(r'<th scope="row"><a [^>]+>([^<]+)</a>', web.get(page_of(alice, q=search)))


def test_pages_of_the_list(alice: Connection, web: Visitor) -> None:
    """A long list has pages, ordered by name, and a search keeps them."""
    cards = "".join(f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Person {n:03}\r\nEND:VCARD\r\n" for n in range(120))
    import_cards(alice, cards.encode())
    first = web.get(page_of(alice, q="person"))
    second = web.get(next(link for link in PageReader(first).links if "skip=50" in link))
    third = web.text(next(link for link in PageReader(second).links if "skip=100" in link))

    assert "1 to 50" in text_of(first)
    assert "Person 050" in second
    assert "101 to 120" in third


def test_large_list(alice: Connection, web: Visitor) -> None:
    """A list of thousands is paged and searched as a short one is."""
    cards = "".join(f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Person {n:04}\r\nEND:VCARD\r\n" for n in range(600))
    import_cards(alice, cards.encode())

    assert "Person 0050" in web.text(page_of(alice, skip=50))
    assert "Person 0599" in web.text(page_of(alice, q="0599"))


def test_import_and_export(alice: Connection, web: Visitor) -> None:
    """An import shows how many contacts came and which parts did not; the export holds what came."""
    sent = web.send(page_of(alice), "import", files={"file": ("a.vcf", HALF_BROKEN, "text/vcard")})
    text = web.text(sent.headers["location"])
    file = web.http.get(f"{web.base}m/{alice.id}/contacts.vcf")

    assert "1 contact imported. 1 left out: " in text
    assert "line 10" in text
    assert "text/vcard" == file.headers["content-type"]
    assert "Contacts.vcf" in file.headers["content-disposition"]
    assert "FN:Ada Lovelace" in file.text


def test_file_of_a_contact(alice: Connection, web: Visitor) -> None:
    """The page of a contact offers a file with this contact alone."""
    import_cards(alice, TWO)
    html = web.get(card_page(web.get(page_of(alice, q="Ada"))))
    file = web.http.get(next(link for link in PageReader(html).links if link.endswith(".vcf")))

    assert 1 == file.text.count("BEGIN:VCARD")
    assert "text/vcard" == file.headers["content-type"]
    assert file.headers["content-disposition"].endswith(".vcf")


def test_import_of_no_contacts(alice: Connection, web: Visitor) -> None:
    """A form without a file is refused."""
    assert "'file' must be a file." == web.refusal(page_of(alice), "import")


def test_more_folders(alice: Connection, web: Visitor) -> None:
    """A new folder is shown at once, and its contacts stay apart."""
    page = web.send(page_of(alice), "folder", name="Suppliers & co").headers["location"]
    web.send(page, "create", GivenName="Grace")

    assert "Grace" in web.text(page)
    assert "Grace" not in web.text(page_of(alice))
    assert "All of Suppliers &amp; co" in web.get(card_page(web.get(page)))


def test_hostile_contact(alice: Connection, web: Visitor) -> None:
    """What callers write into a contact is shown as text."""
    import_cards(alice, TWO.replace(b"Ada Lovelace", b"<script>alert(1)</script>"))

    assert "<script>" not in web.get(page_of(alice))
    assert "&lt;script&gt;" in web.get(page_of(alice))


def test_unknown_contact(alice: Connection, web: Visitor) -> None:
    """An address of a contact that is no id is refused, not a failure of the page."""
    web.get(f"m/{alice.id}/contacts/nobody", 400)
