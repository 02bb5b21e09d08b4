"""Odd files of `fixtures/cases`, through the doors of the admin API: what comes out is what `NAME.json` expects.

`why` says which program writes such a file, or what is odd about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


CHECKS: dict[str, Callable[[Connection, bytes, Any], None]] = {".vcf": check_contacts}
FILES = sorted(path for path in CASES.iterdir() if path.suffix in CHECKS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_odd_file(alice: Connection, file: Path) -> None:
    """An odd file is read as its case expects."""
    case = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))

    CHECKS[file.suffix](alice, file.read_bytes(), case["expect"])
