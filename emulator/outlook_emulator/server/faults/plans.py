"""Plans of fault rules: read, checked as a whole, and only then armed.

A file, the admin API and the test fixture share one form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from outlook_emulator.content_limits import SHOWN_NESTING
from outlook_emulator.errors import ConnectorError, InvalidRequest
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.faults.effects import WORKS, read_effect
from outlook_emulator.server.faults.matches import read_match
from outlook_emulator.server.faults.shapes import FaultPlan
from outlook_emulator.server.schemas import parse
from outlook_emulator.server.times import read_duration, read_instant
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.traffic.fault_plan import FaultRule, FaultWhen
from outlook_emulator.traffic.faults import WORK, Effect, Rule, When
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.large_json import is_too_deep

# Not dots alone: the name becomes a part of paths, in which clients resolve `.` and `..`.
_NAME = re.compile(r"(?!\.+$)[\w.~-]{1,100}")
_HEADER = re.compile(r"[\x21-\x7e]{1,200}")
_INSTANT = re.compile(r"\d{4}-")
_LATEST = timedelta(days=36_500) // timedelta(microseconds=1)


def arm(sandboxes: Sandboxes, sandbox: Sandbox, plan: Mapping[str, Any]) -> Sliced[list[Rule]]:
    """Arm the rules of a plan in a sandbox, all or none. Raises InvalidRequest, naming the rule, and Conflict."""
    # First, since each rule takes a while to read.
    sandbox.traffic.faults.check_room(len(plan["faults"]))
    header = plan.get("header")
    if header is not None and not _HEADER.fullmatch(header):
        raise InvalidRequest("'header' must be 1 to 200 printable ASCII characters without blanks.")
    if not plan["faults"]:
        raise InvalidRequest("The plan has no rule: 'faults' is empty.")
    rules, names = [], []
    for index, members in enumerate(plan["faults"]):
        try:
            rules.append(_rule(sandboxes, sandbox, members, header))
        except ConnectorError as error:
            raise InvalidRequest(f"faults[{index}]: {error.message}") from None
        names.append(members.get("name"))
        yield None
    return sandbox.traffic.faults.arm(rules, names)


def arm_file(sandboxes: Sandboxes, file: str) -> None:
    """Arm the plan in a file in the default sandbox. Raises ValueError for an invalid plan, and OSError."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise OSError(f"cannot read the faults in {file}: {error.strerror or error}") from None
    try:
        whole(arm(sandboxes, sandboxes.default, read(content)))
    except ConnectorError as error:
        raise ValueError(f"the faults in {file} cannot be used: {error.message}") from None


def read(content: bytes) -> Mapping[str, Any]:
    """The plan in a JSON document. Raises InvalidRequest, naming the invalid member."""
    plan: Mapping[str, Any] = reader_of(FaultPlan, strict=True).read(content)
    return plan


def _rule(
    sandboxes: Sandboxes, sandbox: Sandbox, members: Mapping[str, Any], header: str | None
) -> Callable[[str], Rule]:
    """A factory that makes the rule by its name."""
    if is_too_deep(members):
        # It could be armed, but not shown.
        raise InvalidRequest(f"The rule has more than {SHOWN_NESTING.most} levels of JSON.")
    options = parse(FaultRule, members)
    if options.name is not None and not _NAME.fullmatch(options.name):
        raise InvalidRequest(f"'name' must be 1 to 100 letters, digits, -._ or ~, unlike '{options.name[:110]}'.")
    if (options.effect is None) == (options.sequence is None):
        raise InvalidRequest("A rule must have either an 'effect' or a 'sequence'.")
    is_sequence = options.sequence is not None
    rule = partial(
        Rule,
        match=read_match(sandboxes, sandbox, options),
        when=_when(sandbox, options.when, is_sequence),
        steps=_steps(options),
        once_each=is_sequence,
        source=_short_form(members),
        header=header,
        optional=bool(options.optional),
    )
    # A random stream for each name, so that a further rule does not change what the others do.
    base, seed = sandbox.settings.seed_of_ids, options.when.seed
    return lambda name: rule(name=name, rng=Random(f"{base} {name}" if seed is None else str(seed)))


def _short_form(members: Mapping[str, Any]) -> dict[str, Any]:
    """The rule as its author wrote it, with effects as texts where that is possible."""

    def short(effect: Mapping[str, Any]) -> Any:
        return effect["fault"] if effect.keys() == {"fault"} else effect

    shown = dict(members)
    if "effect" in members:
        shown["effect"] = short(members["effect"])
    if "sequence" in members:
        shown["sequence"] = [short(effect) for effect in members["sequence"]]
    return shown


def _steps(rule: FaultRule) -> tuple[Effect, ...]:
    if rule.effect is not None:
        if rule.effect.fault == WORKS:
            raise InvalidRequest(f"'{WORKS}' alone does nothing: it is a step of a 'sequence'.")
        return (read_effect(rule.effect),)
    if not rule.sequence:
        raise InvalidRequest("'sequence' has no step.")
    steps = tuple(map(read_effect, rule.sequence))
    if all(step == WORK for step in steps):
        raise InvalidRequest("The sequence does nothing: none of its steps is a fault.")
    for step in steps:
        if step.is_of_triggers:
            problem = "cannot be a step of a sequence: it acts on triggers, not on requests."
            raise InvalidRequest(f"'{step.fault}' {problem}")
    return steps


def _when(sandbox: Sandbox, options: FaultWhen, is_sequence: bool) -> When:
    if options.nth is not None:
        if not options.nth:
            raise InvalidRequest("'nth' must have at least one number.")
        for member, value in (("after", options.after), ("times", options.times)):
            if value is not None:
                raise InvalidRequest(f"'nth' names the requests and cannot be combined with '{member}'.")
    if is_sequence and options.times is not None:
        raise InvalidRequest("'times' cannot be combined with a 'sequence': each of its steps happens once.")
    probability = 1.0 if options.probability is None else options.probability
    if not 0 < probability <= 1:
        raise InvalidRequest("'probability' must be above 0 and at most 1.")
    if options.seed is not None and options.probability is None:
        raise InvalidRequest("'seed' needs a 'probability': nothing else is random.")
    since, until = _instant(sandbox, options.from_, "from"), _instant(sandbox, options.until, "until")
    if until is not None and until <= max(since or 0, sandbox.clock.now()):
        raise InvalidRequest("'until' must be later than 'from' and later than now.")
    return When(
        nth=frozenset(options.nth or ()),
        after=options.after or 0,
        times=options.times,
        probability=probability,
        since=since,
        until=until,
    )


def _instant(sandbox: Sandbox, text: str | None, member: str) -> int | None:
    if text is None:
        return None
    # Only an instant starts with a year; anything else is a duration from now.
    if _INSTANT.match(text.strip()):
        return read_instant(text.strip(), member)
    duration = read_duration(text, member)
    if duration > _LATEST:
        raise InvalidRequest(f"'{member}' is too far in the future.")
    return sandbox.clock.now() + duration
