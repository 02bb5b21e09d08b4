"""The document that a target publishes is the definition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from outlook_contract.comparison import differences
from outlook_contract.mailbox import Mailbox
from outlook_contract.plugin import ContractRun


@pytest.mark.reads
def test_the_published_document_is_the_definition(contract: ContractRun, mailbox: Mailbox) -> None:
    """Each operation and shape of the published Swagger document is as declared.

    An emulator publishes its document itself; for a connection, `--definition` names an exported one.
    """
    if contract.options.definition:
        document = json.loads(Path(contract.options.definition).read_text(encoding="utf-8"))
    elif contract.target.sandbox is not None:
        document = contract.target.sandbox.server.admin("").request("GET", "/swagger.json")
    else:
        pytest.skip("needs an exported Swagger document: --definition FILE")
    for difference in differences(document, is_refined=not contract.options.definition):
        mailbox.report.add(*difference)
