"""Odd files of `fixtures/cases`, through the doors of the admin API: what comes out is what `NAME.json` expects.

`why` says which program writes such a file, or what is odd about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.bodies import BEFORE_FRAGMENT, TEXT_END, TEXT_START
from tests.conftest import Connection
from tests.paths import CASES


def check_contacts(alice: Connection, content: bytes, expect: Any) -> None:
    """The members that the case names are in the contacts, in the order of the file."""
    path = f"/connections/{alice.id}/contactfolders/Contacts/import"
    response = alice.api.post(path, content=content, headers={"Content-Type": "text/vcard"})
    assert response.status_code == 201, response.text

    items = {item["Id"]: item for item in alice.get("/datasets/contacts/tables/Contacts/items")["value"]}
    contacts = [items[id] for id in response.json()["ids"]]

    assert [{name: contact[name] for name in case} for contact, case in zip(contacts, expect, strict=True)] == expect


def check_mail(alice: Connection, content: bytes, expect: Any) -> None:
    """The delivered mail has the values that the case names, and `replySent` stands above the quote of a reply."""
    mail = alice.get(f"/Mail/{alice.deliver(content)['Id']}")
    mail |= {
        "attachments": [[attachment["Name"], attachment["Size"]] for attachment in mail["Attachments"]],
        "Body": written(mail["Body"]),
    }
    if "replySent" in expect:
        alice.post(f"/v3/Mail/ReplyTo/{mail['Id']}", {"Body": "Yes"})
        (reply,) = alice.mails("SentItems")
        mail["replySent"] = re.findall("<b>Sent:</b> (.*?, .*?, [0-9]+)", reply["Body"])[0].replace(" 0", " ")

    assert {name: mail[name] for name in expect} == expect


def written(body: str) -> str:
    """A body without the document in which the mail service stores it."""
    if body.startswith(TEXT_START):
        return unescape(body.removeprefix(TEXT_START).removesuffix(TEXT_END)).replace("<br>", "").strip()
    return body.removeprefix(BEFORE_FRAGMENT).removesuffix("</body></html>").strip()


CHECKS: dict[str, Callable[[Connection, bytes, Any], None]] = {".eml": check_mail, ".vcf": check_contacts}
FILES = sorted(path for path in CASES.iterdir() if path.suffix in CHECKS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_odd_file(alice: Connection, file: Path) -> None:
    """An odd file is read as its case expects."""
    case = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))

    CHECKS[file.suffix](alice, file.read_bytes(), case["expect"])
