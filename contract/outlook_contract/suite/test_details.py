"""Details that no journey shows, each of which a broken emulator once got wrong unnoticed."""

from __future__ import annotations

import pytest

from outlook_contract.mailbox import Mailbox


@pytest.mark.parametrize("operation", ["SendEmail", "SendEmailV2"])
def test_base64_holds_no_other_characters(mailbox: Mailbox, operation: str) -> None:
    """Content that would be base64 without one character is refused, not read without it (inferred)."""
    attachment = {"Name": "a.txt", "ContentBytes": "aGVs!bG8="}
    message = {"To": "someone@example.com", "Subject": mailbox.name("x"), "Body": "x", "Attachments": [attachment]}
    mailbox.refused(operation, 400, message)
