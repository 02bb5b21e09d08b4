"""The definition as schemathesis reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import schemathesis

from outlook_contract import definition
from outlook_contract.generation import formats

if TYPE_CHECKING:
    from outlook_contract.generation.bridge import Bridge


def load(bridge: Bridge) -> Any:
    """The definition as a schema of schemathesis, whose requests go over the bridge."""
    formats.register()
    schema = schemathesis.openapi.from_dict(document())
    schema.app = bridge
    generation = schema.config.generation
    # The run has a credential of its own. A text with a NUL is refused (deviation nul-in-text).
    generation.with_security_parameters = False
    generation.allow_x00 = False
    return schema


def document() -> dict[str, Any]:
    """A copy of the definition in which each value has one rule: its pattern or its grammar, else its format."""
    whole: dict[str, Any] = json.loads(json.dumps(definition.load()))
    for path, methods in whole["paths"].items():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                _rewrite(parameter, path)
    _rewrite(whole["definitions"], "")
    return whole


def _rewrite(part: Any, path: str) -> None:
    if isinstance(part, list):
        for item in part:
            _rewrite(item, path)
    elif isinstance(part, dict):
        if isinstance(part.get("pattern"), str) or part.get("format") in ("html", "byte", "binary"):
            # The connector's own description declares a list of addresses as one address.
            part.pop("format", None)
        if part.get("format") == "email":
            # In a response, a room may have a name alone.
            part["format"] = "address"
        if "x-grammar" in part:
            part["format"] = formats.format_of(part["x-grammar"], path)
        for value in part.values():
            _rewrite(value, path)
