"""The command that adds an operation to the connector's definition."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_contract import add, definition

SEND = "SendEmailV2"


def without(operation_id: str) -> dict[str, Any]:
    """The definition without one operation, and without any shapes."""
    known = definition.load()
    paths = {
        path: {method: operation for method, operation in methods.items() if operation["operationId"] != operation_id}
        for path, methods in known["paths"].items()
    }
    return {**known, "paths": {path: methods for path, methods in paths.items() if methods}, "definitions": {}}


def test_an_operation_is_added_with_its_shapes() -> None:
    """The operation is back, without evidence, and so are the shapes that it refers to."""
    changed = add.add(without(SEND), definition.load(), SEND)

    assert definition.operations(definition.load())[SEND] == definition.operations(changed)[SEND]
    assert [] == changed["paths"]["/{connectionId}/v2/Mail"]["post"]["x-evidence"]
    assert {"ClientSendHtmlMessage", "ClientSendAttachment"} == set(changed["definitions"])


def test_the_text_is_that_of_the_file() -> None:
    """Writing the definition back changes nothing in its file."""
    assert definition.file().read_text(encoding="utf-8") == add.text(definition.load())


def test_an_unknown_operation() -> None:
    """An operation that the document does not have is an error."""
    with pytest.raises(LookupError, match="no operation Nothing"):
        add.add(without(SEND), definition.load(), "Nothing")
