"""The options of `fault add`, derived from the declared options of fault rules, and the plan that they describe."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import parsers, request
from outlook_emulator.options import Option, options_of
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultPlan, FaultRule, FaultWhen

_PARTS = {"match": FaultMatch, "when": FaultWhen, "effect": FaultEffect}
_TITLES = {"match": "which requests", "when": "which of the matching requests", "effect": "what happens"}
_OWN_ARGUMENTS = ("match", "when", "effect", "sequence", "faults")
"""Options with arguments of their own: the groups and the sequence."""


def add(command: argparse.ArgumentParser) -> None:
    """Add an argument for each option of a fault rule."""
    command.add_argument(
        "--file", metavar="PLAN", help="a whole plan as JSON, - for standard input; excludes all other options"
    )
    for option in (*_options(FaultRule), *_options(FaultPlan)):
        parsers.add_option(command, option, option.name)
    for part, declaration in _PARTS.items():
        group = command.add_argument_group(_TITLES[part])
        for option in _options(declaration):
            parsers.add_option(group, option, f"{part}_{option.name}")
        if part == "effect":
            group.add_argument(
                "--sequence",
                metavar="EFFECT,...",
                help="a fault, a status or `work` for one request after the other: timeout-504-after,503,work",
            )


def plan_of(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The plan that the arguments describe, None if a file holds it. Raises ValueError for contradictory arguments."""
    rule = _members(arguments, FaultRule, "")
    for part in ("match", "when"):
        if members := _members(arguments, _PARTS[part], f"{part}_"):
            rule[part] = members
    rule |= _outcome(arguments)
    plan = _members(arguments, FaultPlan, "")
    if arguments.file is not None:
        if rule or plan:
            raise ValueError("--file excludes all other options: the plan is in the file")
        return None
    if not rule.keys() & {"effect", "sequence"}:
        raise ValueError("say what happens: a fault's name, --sequence, an effect such as --status 503, or --file")
    return {**plan, "faults": [rule]}


def _options(declaration: Any) -> list[Option]:
    return [option for option in options_of(declaration) if option.name not in _OWN_ARGUMENTS]


def _members(arguments: argparse.Namespace, declaration: Any, prefix: str) -> dict[str, Any]:
    """The JSON members of the options that are set."""
    values = ((option, getattr(arguments, prefix + option.name)) for option in _options(declaration))
    return request.without_none({option.member: _value(option, value) for option, value in values})


def _value(option: Option, value: Any) -> Any:
    if value is None:
        return None
    if option.is_mapping:
        return dict(parsers.pair(text, option.flag) for text in value)
    if option.is_list:
        items = [number for numbers in value for number in numbers] if option.item is int else value
        # A plan may have the only value of a list in place of the list.
        return items[0] if len(items) == 1 else items
    return value


def _outcome(arguments: argparse.Namespace) -> dict[str, Any]:
    """The rule's `effect` or `sequence`, empty without either."""
    effect = _members(arguments, FaultEffect, "effect_")
    if arguments.sequence is not None:
        if effect:
            raise ValueError("--sequence excludes all other effects; a plan in a --file can combine them")
        return {"sequence": [_step(step.strip()) for step in arguments.sequence.split(",")]}
    if effect.keys() == {"fault"}:
        return {"effect": effect["fault"]}
    return {"effect": effect} if effect else {}


def _step(text: str) -> Any:
    return {"status": int(text)} if text.isascii() and text.isdigit() else text
