"""Fields of forms for declared options, and what was sent in them as members of a JSON order."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from outlook_emulator.options import Option, options_of
from outlook_emulator.server.web.forms import Form, read_number
from outlook_emulator.wire.large_json import is_too_deep


class OptionField(NamedTuple):
    """A field for one option. `kind` is text, number, choice, check, list, pairs or json."""

    name: str
    label: str
    kind: str
    help: str
    choices: tuple[str, ...]
    value: Any = ""


def fields_of(declaration: Any, prefix: str = "", leave_out: tuple[str, ...] = ()) -> list[OptionField]:
    """The fields of all options that a dataclass declares."""
    return [
        OptionField(prefix + option.member, option.member, _kind(option), _help(option), option.choices)
        for option in options_of(declaration)
        if option.name not in leave_out
    ]


def members_of(declaration: Any, form: Form, prefix: str = "", leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The members that a form sets. Texts that are no number are left as they are, for the API to refuse."""
    members = {}
    for option in options_of(declaration):
        text = form.text(prefix + option.member)
        if option.name not in leave_out and text:
            members[option.member] = _value(option, text)
    return members


def _kind(option: Option) -> str:
    if option.choices:
        return "choice"
    if option.is_list:
        return "list"
    if option.is_mapping:
        return "pairs"
    kinds = {bool: "check", int: "number", float: "number", Any: "json"}
    return kinds.get(option.type, "text")


def _help(option: Option) -> str:
    ways = {"list": "separated by commas", "pairs": "NAME=VALUE, one a line"}
    return ", ".join(filter(None, (option.help, ways.get(_kind(option)), option.range)))


def _value(option: Option, text: str) -> Any:
    kind = _kind(option)
    if kind == "list":
        return [read_number(part.strip()) if option.item is int else part.strip() for part in text.split(",")]
    if kind == "pairs":
        pairs = (line.partition("=") for line in text.splitlines() if line.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}
    if kind == "json":
        return _json(text)
    if kind == "check":
        return text == "yes"
    return read_number(text) if kind == "number" else text


def _json(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if is_too_deep(value) else value
