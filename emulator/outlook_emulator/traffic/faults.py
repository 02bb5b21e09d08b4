"""Fault rules: which calls they act on, when, and what they do; and the ledger of what they have done.

Asking a rule and counting its use is one step without an await in it, so that parallel calls never get the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal, NamedTuple

from outlook_emulator.errors import Conflict, ConnectorError, NotFound
from outlook_emulator.traffic.call_facts import CallFacts, Match
from outlook_emulator.traffic.fault_plan import Break

RuleState = Literal["armed", "used up", "over"]
ARMED: Final = "armed"
USED_UP: Final = "used up"
OVER: Final = "over"
RESET: Final = "reset"
CUT: Final = "cut"
STALL: Final = "stall"
MALFORMED: Final = "malformed"
MOST_RULES = 1000
"""How many rules a sandbox has at most."""


class CannedResponse(NamedTuple):
    """An answer that a rule writes out itself."""

    status: int
    body: bytes
    content_type: str | None


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What happens to a call. One that changes nothing lets the call work.

    `answer` takes the place of the operation's, for calls of the `families` only where some are named; `after` says
    that the operation is run all the same. `delay` is in
    microseconds, by the sandbox's clock or in real time. `breaks` is how the answer is kept from arriving whole.
    `changes` are members of the mailbox's rules that differ for this call. `holds` keeps what a trigger found back for
    so many microseconds.
    """

    fault: str | None = None
    answer: ConnectorError | CannedResponse | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    families: frozenset[str] = frozenset()
    after: bool = False
    delay: int = 0
    in_real_time: bool = False
    breaks: Break | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    holds: int = 0


WORK = Effect()


@dataclass(frozen=True, kw_only=True)
class When:
    """Which of the matching calls a rule acts on, counted from the first after it was armed.

    `nth` names them, `after` skips the first ones, `times` is how often the rule acts at most. Chance is drawn once
    for each call that these leave, by a generator of the rule's own. `since` and `until` are instants; outside of
    them calls do not count.
    """

    nth: frozenset[int] = frozenset()
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    since: int | None = None
    until: int | None = None


class Rule:
    """A rule at work: counts the calls that match it, and how often it acted.

    `given` is the rule as it was asked for, `header` the text that a call must carry to be meant at all.
    """

    def __init__(
        self,
        *,
        name: str,
        match: Match,
        when: When,
        steps: tuple[Effect, ...],
        once_each: bool,
        given: Mapping[str, Any],
        rng: Random,
        header: str | None = None,
        optional: bool = False,
    ) -> None:
        self.name = name
        self.match = match
        self.given = given
        self.header = header
        self.optional = optional
        self.matched = self.used = 0
        self._when = when
        self._steps = steps
        self._rng = rng
        self._most = _least(when.times, len(steps) if once_each else None)

    @property
    def holds(self) -> bool:
        """Whether the rule acts on what triggers find, rather than on calls."""
        return self._steps[0].holds > 0

    def state(self, now: int) -> RuleState:
        """Whether the rule may still act, has done all it was to do, or can do no more of it."""
        if self._most is not None and self.used >= self._most:
            return USED_UP
        when = self._when
        is_past = when.until is not None and now >= when.until
        if is_past or (when.nth and self.matched >= max(when.nth)):
            return USED_UP if self.used and not is_past else OVER
        return ARMED

    def is_meant(self, call: CallFacts, header: str | None, now: int) -> bool:
        """Whether a call counts for this rule."""
        when = self._when
        if self.header is not None and self.header != header:
            return False
        if (when.since is not None and now < when.since) or (when.until is not None and now >= when.until):
            return False
        return (self._most is None or self.used < self._most) and self.match.fits(call)

    def act(self) -> Effect | None:
        """Count a call that is meant; what happens to it, None when it is not this one's turn."""
        when = self._when
        self.matched += 1
        if self.matched <= when.after or (when.nth and self.matched not in when.nth):
            return None
        if when.probability < 1 and self._rng.random() >= when.probability:
            return None
        self.used += 1
        return self._steps[min(self.used, len(self._steps)) - 1]


class Hit(NamedTuple):
    """What a rule does to a call."""

    rule: Rule
    effect: Effect


class Rulebook:
    """The rules of a sandbox in the order they came; of those that would act on a call the first does.

    A reset empties it.
    """

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._made = 0
        self._held: dict[str, tuple[Rule, int]] = {}
        self.has_any = self.has_holding = self.reads_bodies = False

    def arm(self, rules: Iterable[Callable[[str], Rule]], names: Iterable[str | None]) -> list[Rule]:
        """Add rules, all or none; each is made by its name, which is counted where none is given. Raises Conflict."""
        taken, made = dict(self._rules), []
        count = self._made
        for make, name in zip(rules, names, strict=True):
            while name is None:
                count += 1
                name = None if f"fault-{count}" in taken else f"fault-{count}"
            if name in taken:
                raise Conflict(f"A fault rule '{name}' exists already.")
            taken[name] = make(name)
            made.append(taken[name])
        if len(taken) > MOST_RULES:
            raise Conflict(f"A sandbox has at most {MOST_RULES} fault rules.")
        self._made = count
        self._take(taken)
        return made

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def named(self, name: str) -> Rule:
        """The rule of that name. Raises NotFound."""
        if name not in self._rules:
            known = ", ".join(self._rules) or "none"
            raise NotFound(f"No fault rule '{name[:100]}' exists. There are: {known[:500]}.")
        return self._rules[name]

    def remove(self, name: str) -> None:
        """Take one rule away. Raises NotFound."""
        self.named(name)
        self._take({one.name: one for one in self._rules.values() if one.name != name})

    def clear(self) -> None:
        """Take all rules away, and let go of what they hold back."""
        self._made = 0
        self._take({})

    def strike(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """What happens to a call, None where it is let alone."""
        return self._ask((one for one in self._rules.values() if not one.holds), call, header, now)

    def hold(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """Whether something that a trigger found comes late, and how."""
        return self._ask((one for one in self._rules.values() if one.holds), call, header, now)

    def hold_poll(self, call: CallFacts, header: str | None, state: str, now: int) -> Hit | bool:
        """Whether what a poll found is held back: by a rule that acts now, or still by one that did.

        `state` names the poll: as long as the same is asked, the same is held, and once it is let go it stays so.
        """
        if state in self._held:
            return now < self._held[state][1]
        hit = self.hold(call, header, now)
        if hit is None:
            return False
        if len(self._held) >= MOST_RULES:
            del self._held[next(iter(self._held))]
        self._held[state] = (hit.rule, now + hit.effect.holds)
        return hit

    def _ask(self, rules: Iterable[Rule], call: CallFacts, header: str | None, now: int) -> Hit | None:
        for rule in rules:
            if rule.is_meant(call, header, now) and (effect := rule.act()) is not None:
                return Hit(rule, effect)
        return None

    def _take(self, rules: dict[str, Rule]) -> None:
        self._rules = rules
        self._held = {state: held for state, held in self._held.items() if rules.get(held[0].name) is held[0]}
        self.has_any = any(not one.holds for one in rules.values())
        self.has_holding = any(one.holds for one in rules.values())
        self.reads_bodies = any(one.match.body for one in rules.values())


def _least(one: int | None, other: int | None) -> int | None:
    return min((count for count in (one, other) if count is not None), default=None)
