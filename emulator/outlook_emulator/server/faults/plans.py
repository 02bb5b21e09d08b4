"""Plans of fault rules: read, checked whole, and only then armed.

One form serves a file, the admin API and the fixture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from outlook_emulator.errors import ConnectorError, InvalidRequest
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.faults.effects import read_effect
from outlook_emulator.server.faults.matches import read_match
from outlook_emulator.server.faults.shapes import FaultPlan
from outlook_emulator.server.times import read_duration, read_instant
from outlook_emulator.traffic.faults import WORK, Rule, When
from outlook_emulator.wire.body import reader_of

_NAME = re.compile(r"(?!\.+$)[\w.~-]{1,100}")
_HEADER = re.compile(r"[\x21-\x7e]{1,200}")
_INSTANT = re.compile(r"\d{4}-")
_MOST_COUNTED = 1_000_000_000
_LATEST = timedelta(days=36_500) // timedelta(microseconds=1)


def arm(sandboxes: Sandboxes, sandbox: Sandbox, plan: FaultPlan) -> list[Rule]:
    """Arm the rules of a plan in a sandbox, all or none. Raises InvalidRequest and Conflict, saying which and why."""
    header = plan.get("header")
    if header is not None and not _HEADER.fullmatch(header):
        raise InvalidRequest("'header' must be 1 to 200 printable ASCII characters without blanks.")
    if not plan["faults"]:
        raise InvalidRequest("The plan has no rule: 'faults' is empty.")
    made, names = [], []
    for index, given in enumerate(plan["faults"]):
        try:
            made.append(_made(sandboxes, sandbox, given, header))
        except ConnectorError as error:
            raise InvalidRequest(f"faults[{index}]: {error.message}") from None
        names.append(given.get("name"))
    return sandbox.traffic.faults.arm(made, names)


def arm_file(sandboxes: Sandboxes, file: str) -> None:
    """Arm the plan in a file in the default sandbox. Raises ValueError, with the reason, and OSError."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise OSError(f"cannot read the faults in {file}: {error.strerror or error}") from None
    try:
        arm(sandboxes, sandboxes.default, read(content))
    except ConnectorError as error:
        raise ValueError(f"the faults in {file} cannot be used: {error.message}") from None


def read(content: bytes) -> FaultPlan:
    """A plan written as JSON. Raises InvalidRequest, naming the member at fault."""
    plan: FaultPlan = reader_of(FaultPlan, strict=True).read(content)
    return plan


def _made(
    sandboxes: Sandboxes, sandbox: Sandbox, given: Mapping[str, Any], header: str | None
) -> Callable[[str], Rule]:
    name = given.get("name")
    if name is not None and not _NAME.fullmatch(name):
        raise InvalidRequest(f"'name' must be 1 to 100 letters, digits, -._ or ~, unlike '{name[:110]}'.")
    if ("effect" in given) == ("sequence" in given):
        raise InvalidRequest("A rule has either an 'effect' or a 'sequence'.")
    when, seed = _when(sandbox, given.get("when", {}), is_sequence="sequence" in given)
    rule = partial(
        Rule,
        match=read_match(sandboxes, sandbox, given),
        when=when,
        steps=_steps(given),
        once_each="sequence" in given,
        given=_as_given(given),
        header=header,
        optional=given.get("optional", False),
    )
    base = sandbox.settings.random_seed
    return lambda name: rule(name=name, rng=Random(f"{base} {name}" if seed is None else str(seed)))


def _as_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """The rule as it was asked for, in the short form where it has one."""

    def short(effect: Mapping[str, Any]) -> Any:
        return effect["fault"] if effect.keys() == {"fault"} else effect

    shown = dict(given)
    if "effect" in given:
        shown["effect"] = short(given["effect"])
    if "sequence" in given:
        shown["sequence"] = [short(one) for one in given["sequence"]]
    return shown


def _steps(given: Mapping[str, Any]) -> tuple[Any, ...]:
    sequence = given.get("sequence")
    if sequence is None:
        if given["effect"].get("fault") == "work":
            raise InvalidRequest("'work' alone does nothing: it is a step of a 'sequence'.")
        return (read_effect(given["effect"]),)
    if not sequence:
        raise InvalidRequest("'sequence' has no step.")
    steps = tuple(read_effect(one) for one in sequence)
    if all(one == WORK for one in steps):
        raise InvalidRequest("The sequence does nothing: none of its steps is a fault.")
    if any(one.holds for one in steps):
        raise InvalidRequest("'trigger-delayed' is no step of a sequence: it acts on finds, not on calls.")
    return steps


def _when(sandbox: Sandbox, given: Mapping[str, Any], is_sequence: bool) -> tuple[When, int | None]:
    nth = given.get("nth", [])
    for member, least, values in (
        ("nth", 1, nth),
        ("after", 0, [given.get("after", 0)]),
        ("times", 1, [given.get("times", 1)]),
    ):
        if not all(least <= one <= _MOST_COUNTED for one in values):
            raise InvalidRequest(f"'{member}' must be from {least} to {_MOST_COUNTED}.")
    if "nth" in given and not nth:
        raise InvalidRequest("'nth' names no call.")
    for one, other in (("nth", "after"), ("nth", "times")):
        if one in given and other in given:
            raise InvalidRequest(f"'{one}' says which calls are meant, and does not go with '{other}'.")
    if is_sequence and "times" in given:
        raise InvalidRequest("'times' does not go with a 'sequence', whose every step happens once.")
    probability = given.get("probability", 1.0)
    if not 0 < probability <= 1:
        raise InvalidRequest("'probability' must be above 0, and 1 at most.")
    if "seed" in given and "probability" not in given:
        raise InvalidRequest("'seed' needs a 'probability': nothing else is left to chance.")
    since, until = (_instant(sandbox, given, member) for member in ("from", "until"))
    if until is not None and until <= max(since or 0, sandbox.clock.now()):
        raise InvalidRequest("'until' must be later than 'from', and than now.")
    when = When(
        nth=frozenset(nth),
        after=given.get("after", 0),
        times=given.get("times"),
        probability=probability,
        since=since,
        until=until,
    )
    return when, given.get("seed")


def _instant(sandbox: Sandbox, given: Mapping[str, Any], member: str) -> int | None:
    text = given.get(member)
    if text is None:
        return None
    if _INSTANT.match(text.strip()):
        return read_instant(text.strip(), member)
    lasts = read_duration(text, member)
    if lasts > _LATEST:
        raise InvalidRequest(f"'{member}' lies too far ahead.")
    return sandbox.clock.now() + lasts
