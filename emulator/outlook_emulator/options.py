"""Options declared once, as dataclass fields with help.

Settings, limits and the options of fault rules are declared this way. Command-line flags, environment variables, JSON
members, keywords in tests and the tables of the documentation are derived from the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from outlook_emulator.frozen import Frozen


class Form(NamedTuple):
    """The form of a text: a pattern that it matches as a whole, and what it is, for error texts."""

    pattern: re.Pattern[str]
    text: str


URL = Form(re.compile(r"(?i)(?:https?://[^\s/?#]+(?:/[^\s?#]*)?)?"), "a URL such as https://mail.test")
"""An absolute http or https URL, or nothing."""
NOT_IN_ADDRESSES = r"\s@;,<>()\[\]\"\\.\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060-\u2064\ufeff"
"""The characters that no part of a mail address has: quotes, separators, line ends and invisible ones."""
_LABEL = rf"[^:{NOT_IN_ADDRESSES}]+"
DOMAIN = Form(re.compile(rf"(?=.{{1,200}}\Z){_LABEL}(?:\.{_LABEL})*"), "a domain of mail addresses such as outlook.com")


class Option(Frozen, kw_only=True):
    """One option, as its declaration describes it.

    `name` is the attribute and, in tests, the keyword. `member` is the JSON name, `flag` the command-line flag, or the
    name of a positional argument. `type` is the plain type: without `None`, and `str` for a choice. `item` is the type
    of a list's items or of a mapping's values, else None. `default` is MISSING for a required option. `least` and
    `most` bound a number, or each number of a list. `shorthand` names the member of an object that a text stands for.
    `limit` is the name by which the admin API changes a setting while the server runs, else empty. `form` is the form
    of a text, None for any.
    """

    name: str
    type: Any
    item: Any
    default: Any
    help: str
    choices: tuple[str, ...]
    least: int | None
    most: int | None
    metavar: str
    member: str
    flag: str
    shorthand: str | None
    limit: str
    form: Form | None

    @property
    def is_list(self) -> bool:
        return self.type is list

    @property
    def is_mapping(self) -> bool:
        return self.type is dict

    @property
    def range(self) -> str:
        """The bounds in words, empty without bounds."""
        if self.most is not None:
            return f"from {self.least or 0} to {self.most}"
        return "" if self.least is None else f"{self.least} or more"

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value of the right type, None for a valid value."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not '{str(value)[:50]}'"
        if self.form is not None and not self.form.pattern.fullmatch(value):
            return f"must be {self.form.text}, not '{value[:200]}'"
        for number in value if self.is_list else [value]:
            if isinstance(number, int | float) and not self._is_in_range(number):
                return f"must be {self.range}, not {number}"
        return None

    def _is_in_range(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def option(
    default: Any,
    help: str,
    *,
    least: int | None = None,
    most: int | None = None,
    metavar: str = "",
    flag: str | None = None,
    positional: bool = False,
    shorthand: str | None = None,
    limit: str = "",
    secret: bool = False,
    form: Form | None = None,
) -> Any:
    """A dataclass field that declares an option: required where the default is MISSING.

    A `secret` value is left out of the `repr`.
    """
    declared = {
        "help": help,
        "least": least,
        "most": most,
        "metavar": metavar,
        "flag": flag,
        "positional": positional,
        "shorthand": shorthand,
        "limit": limit,
        "form": form,
    }
    return field(default=default, repr=not secret, metadata=declared)


@cache
def options_of(declaration: Any) -> tuple[Option, ...]:
    """The options that a dataclass declares, in order."""
    hints = get_type_hints(declaration)
    return tuple(
        _option(declared.name, hints[declared.name], declared.default, declared.metadata)
        for declared in fields(declaration)
    )


def values_of(instance: Any) -> dict[str, Any]:
    """The options of an instance that are set, by name."""
    values = {declared.name: getattr(instance, declared.name) for declared in options_of(instance.__class__)}
    return {name: value for name, value in values.items() if value is not None}


def camel(name: str) -> str:
    """`retry_after` as JSON has it: `retryAfter`. The trailing underscore of `from_` goes."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def suggestion(name: str, known: Iterable[str]) -> str:
    """A sentence that helps after a name that is not known: the closest known names, or all, if there are any."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    close = [names[match] for match in get_close_matches(name.lower(), names, n=3, cutoff=0.6)]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"There are: {', '.join(names.values())}." if names else "There is none."


def sentence(option: Option) -> str:
    """The help of an option with its choices and bounds."""
    choices = ", ".join(f"`{choice}`" for choice in option.choices)
    return "; ".join(filter(None, (option.help, choices and f"one of {choices}", option.range)))


def _option(name: str, hint: Any, default: Any, declared: Mapping[str, Any]) -> Option:
    plain = _without_none(hint)
    item, choices = None, _choices(plain)
    if choices:
        plain = str
    elif get_origin(plain) is tuple:
        item, plain = get_args(plain)[0], list
    elif get_origin(plain) is not None:
        item, plain = get_args(plain)[1], dict
    flag = declared["flag"] or name.rstrip("_").replace("_", "-")
    metavar = declared["metavar"] or flag.replace("-", "_").upper()
    return Option(
        name=name,
        type=plain,
        item=item,
        default=default,
        help=declared["help"],
        choices=choices,
        least=declared["least"],
        most=declared["most"],
        metavar=metavar,
        member=camel(name),
        flag=metavar if declared["positional"] else f"--{flag}",
        shorthand=declared["shorthand"],
        limit=declared["limit"],
        form=declared["form"],
    )


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return hint


def _choices(plain: Any) -> tuple[str, ...]:
    return get_args(plain) if get_origin(plain) is Literal else ()
