"""Fault rules: which requests they act on, when, what they do, and how often they acted.

Matching a rule and counting its use is one step without an await, so that concurrent requests never get the same turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from random import Random
from typing import Any, Final, Literal, NamedTuple

from outlook_emulator.errors import Conflict, ConnectorError, NotFound
from outlook_emulator.frozen import Frozen
from outlook_emulator.traffic.call_facts import CallFacts, Match
from outlook_emulator.traffic.fault_plan import Break, DelayClock, Phase

_SECOND = 1_000_000
RuleState = Literal["armed", "used up", "over"]
ARMED: Final = "armed"
USED_UP: Final = "used up"
OVER: Final = "over"
RESET: Final = "reset"
CUT: Final = "cut"
STALL: Final = "stall"
MALFORMED: Final = "malformed"
EARLY: Final = "too early"
"""The reason by which the journal shows a request that came back before its `Retry-After`."""
MOST_RULES = 1000
"""The greatest number of rules of a sandbox."""


class CannedResponse(NamedTuple):
    """A response that a rule specifies whole."""

    status: int
    body: bytes
    content_type: str | None


class Effect(Frozen, kw_only=True):
    """What happens to a request. The default effect lets it work.

    `response` replaces the operation's response; with `families`, only for operations of these families. `by_family`
    has another response for some families. In the phase `after` the operation runs before the effect. `delay` is in
    microseconds. `breaks` keeps the response from arriving whole. `rule_changes` are members of the mailbox's rules
    that differ for this request. `trigger_delay` makes a trigger fire later, by so many microseconds. `twice` makes it
    fire twice for mails with attachments, first without.
    """

    fault: str | None = None
    response: ConnectorError | CannedResponse | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    families: frozenset[str] = frozenset()
    by_family: Mapping[str, ConnectorError] = field(default_factory=dict)
    phase: Phase = "before"
    delay: int = 0
    delay_by: DelayClock = "clock"
    breaks: Break | None = None
    rule_changes: Mapping[str, Any] = field(default_factory=dict)
    trigger_delay: int = 0
    twice: bool = False

    @property
    def is_of_triggers(self) -> bool:
        """Whether the effect is one on what triggers return, rather than on requests."""
        return self.twice or self.trigger_delay > 0


WORK = Effect()


class When(Frozen, kw_only=True):
    """Which of the matching requests a rule acts on, counted from 1 since it was armed.

    `nth` names them, `after` skips the first ones, `times` limits how often the rule acts. `probability` is applied to
    each request that these leave, with a random generator of the rule's own. `since` and `until` are instants; requests
    outside of them are not counted.
    """

    nth: frozenset[int] = frozenset()
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    since: int | None = None
    until: int | None = None


class Rule:
    """An armed rule. Counts the requests that match it, and how often it acted.

    `source` is the rule as its author wrote it. With a `header`, only requests with that text in the plan header match.
    """

    def __init__(
        self,
        *,
        name: str,
        match: Match,
        when: When,
        steps: tuple[Effect, ...],
        once_each: bool,
        source: Mapping[str, Any],
        rng: Random,
        header: str | None = None,
        optional: bool = False,
    ) -> None:
        self.name = name
        self.match = match
        self.source = source
        self.header = header
        self.optional = optional
        self.matched = self.used = 0
        self.when = when
        self._steps = steps
        self._rng = rng
        self.is_sequence = once_each
        self._most = _least(when.times, len(steps) if once_each else None)

    @property
    def acts_on_triggers(self) -> bool:
        """Whether the rule acts on what triggers return instead of requests."""
        return self._steps[0].is_of_triggers

    @property
    def delays_triggers(self) -> bool:
        return self._steps[0].trigger_delay > 0

    @property
    def doubles_triggers(self) -> bool:
        return self._steps[0].twice

    @property
    def changes_mailboxes(self) -> bool:
        """Whether all that the rule does is to change the rules of a mailbox, such as what it shows of a mail."""
        return any(step.rule_changes for step in self._steps) and all(
            step == WORK or step.rule_changes for step in self._steps
        )

    def covers(self, call: CallFacts, header: str | None) -> bool:
        """Whether a request is one of those that the rule is about, whenever and how often it acts."""
        return self.header in (None, header) and self.match.fits(call)

    def state(self, now: int) -> RuleState:
        """Whether the rule can still act, has acted as often as it can, or can no longer act."""
        if self._most is not None and self.used >= self._most:
            return USED_UP
        when = self.when
        is_past = when.until is not None and now >= when.until
        if is_past or (when.nth and self.matched >= max(when.nth)):
            return USED_UP if self.used and not is_past else OVER
        return ARMED

    def matches(self, call: CallFacts, header: str | None, now: int) -> bool:
        """Whether a request counts for this rule."""
        when = self.when
        if (when.since is not None and now < when.since) or (when.until is not None and now >= when.until):
            return False
        return (self._most is None or self.used < self._most) and self.covers(call, header)

    def act(self) -> Effect | None:
        """Count a matching request; its effect, or None if the rule does not act on it."""
        when = self.when
        self.matched += 1
        if self.matched <= when.after or (when.nth and self.matched not in when.nth):
            return None
        # Last of all: requests that the other conditions leave out use up no random number.
        if when.probability < 1 and self._rng.random() >= when.probability:
            return None
        self.used += 1
        # The last step repeats; a rule that ends with its sequence is used up by then.
        return self._steps[min(self.used, len(self._steps)) - 1]


class Hit(NamedTuple):
    """A rule that acts on a request, and its effect."""

    rule: Rule
    effect: Effect


class Cooldown(NamedTuple):
    """A connection that a rule has told when to come back: `until`, by the sandbox's clock and by the machine's."""

    hit: Hit
    connection: str
    until: int
    real_until: float


class Rulebook:
    """The rules of a sandbox, in the order in which they were armed. The first rule that acts on a request wins.

    A reset removes all rules.
    """

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._numbered = 0
        self._cooldowns: list[Cooldown] = []
        self._held_back: dict[str, tuple[Rule, int]] = {}
        self._delivered: dict[str, Rule] = {}
        self.has_request_rules = self.has_trigger_rules = self.doubles_triggers = self.reads_bodies = False

    def arm(self, rules: Sequence[Callable[[str], Rule]], names: Iterable[str | None]) -> list[Rule]:
        """Add rules, all or none. Each factory gets its name, or a numbered one without a name. Raises Conflict."""
        self.check_room(len(rules))
        # A copy, so that no rule is armed if one of them cannot be.
        taken, added = dict(self._rules), []
        count = self._numbered
        for make_rule, name in zip(rules, names, strict=True):
            # Leaves out numbers that rules of the user have in their names.
            while name is None:
                count += 1
                name = None if f"fault-{count}" in taken else f"fault-{count}"
            if name in taken:
                raise Conflict(f"A fault rule '{name}' exists already.")
            taken[name] = make_rule(name)
            added.append(taken[name])
        self._numbered = count
        self._replace(taken)
        return added

    def check_room(self, count: int) -> None:
        """Raise Conflict if so many rules more would be too many."""
        if len(self._rules) + count > MOST_RULES:
            raise Conflict(f"A sandbox has at most {MOST_RULES} fault rules.")

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def named(self, name: str) -> Rule:
        """The rule with this name. Raises NotFound."""
        if name not in self._rules:
            known = ", ".join(self._rules) or "none"
            raise NotFound(f"No fault rule '{name[:100]}' exists. There are: {known[:500]}.")
        return self._rules[name]

    def remove(self, name: str) -> None:
        """Remove one rule. Raises NotFound."""
        self.named(name)
        self._replace({rule.name: rule for rule in self._rules.values() if rule.name != name})

    def clear(self) -> None:
        """Remove all rules, and release what they hold back."""
        self._numbered = 0
        self._replace({})

    def hit(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """The rule that acts on a request, and its effect."""
        rules = (rule for rule in self._rules.values() if not rule.acts_on_triggers)
        return self._first(rules, call, header, now)

    def refuse_until(self, hit: Hit, connection: str, now: int, real: float, seconds: int) -> None:
        """Refuse the requests of a connection that a rule is about, until so many seconds are over."""
        if len(self._cooldowns) >= MOST_RULES:
            del self._cooldowns[0]
        self._cooldowns.append(Cooldown(hit, connection, now + seconds * _SECOND, real + seconds))

    def early_hit(self, call: CallFacts, header: str | None, now: int, real: float) -> tuple[Hit, int] | None:
        """The rule that refuses a request because it comes back too early, and the seconds that are left.

        A caller has waited if either clock says so: the sandbox's may stand still.
        """
        if not self._cooldowns:
            return None
        self._cooldowns = [
            cooldown for cooldown in self._cooldowns if now < cooldown.until and real < cooldown.real_until
        ]
        for cooldown in self._cooldowns:
            if cooldown.connection == call.connection and cooldown.hit.rule.covers(call, header):
                # Rounded up: a client that waits as long as it says must get through.
                return cooldown.hit, -(-(cooldown.until - now) // _SECOND)
        return None

    def forget_cooldowns(self) -> None:
        """Let every caller come back at once."""
        self._cooldowns = []

    def trigger_hit(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """The rule that delays the result of a trigger, and its effect."""
        rules = (rule for rule in self._rules.values() if rule.delays_triggers)
        return self._first(rules, call, header, now)

    def double_hit(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """The rule that makes a trigger fire twice for mails with attachments, and its effect."""
        rules = (rule for rule in self._rules.values() if rule.doubles_triggers)
        return self._first(rules, call, header, now)

    def mailbox_hit(self, call: CallFacts, header: str | None, now: int) -> Hit | None:
        """The rule that changes the rules of a mailbox and does nothing else, and its effect."""
        rules = (rule for rule in self._rules.values() if rule.changes_mailboxes)
        return self._first(rules, call, header, now)

    def hold_back(self, call: CallFacts, header: str | None, state: str, now: int) -> Hit | bool:
        """Whether the result of a poll is held back, by a rule that acts now or by one that acted before.

        `state` identifies the poll: a repeated poll is held back until the same instant, and released for good then.
        """
        if state in self._held_back:
            return now < self._held_back[state][1]
        hit = self.trigger_hit(call, header, now)
        if hit is None:
            return False
        # Bounds the memory: a poller that never comes back leaves its state here.
        if len(self._held_back) >= MOST_RULES:
            del self._held_back[next(iter(self._held_back))]
        self._held_back[state] = (hit.rule, now + hit.effect.trigger_delay)
        return hit

    def deliver_first(self, call: CallFacts, header: str | None, state: str, now: int) -> Hit | None:
        """The rule by which mails with attachments come without them this time; the next time they come whole.

        `state` identifies the poll, as in `hold_back`.
        """
        if state in self._delivered:
            return None
        hit = self.double_hit(call, header, now)
        if hit is not None:
            if len(self._delivered) >= MOST_RULES:
                del self._delivered[next(iter(self._delivered))]
            self._delivered[state] = hit.rule
        return hit

    def _first(self, rules: Iterable[Rule], call: CallFacts, header: str | None, now: int) -> Hit | None:
        for rule in rules:
            if rule.matches(call, header, now) and (effect := rule.act()) is not None:
                return Hit(rule, effect)
        return None

    def _replace(self, rules: dict[str, Rule]) -> None:
        self._rules = rules
        self._cooldowns = [
            cooldown for cooldown in self._cooldowns if rules.get(cooldown.hit.rule.name) is cooldown.hit.rule
        ]
        # By identity: a rule that was armed since may have the name of one that is gone.
        self._held_back = {
            state: (rule, until) for state, (rule, until) in self._held_back.items() if rules.get(rule.name) is rule
        }
        self._delivered = {state: rule for state, rule in self._delivered.items() if rules.get(rule.name) is rule}
        # Found out when rules change, since every request asks.
        self.has_request_rules = any(not rule.acts_on_triggers for rule in rules.values())
        self.has_trigger_rules = any(rule.delays_triggers for rule in rules.values())
        self.doubles_triggers = any(rule.doubles_triggers for rule in rules.values())
        self.reads_bodies = any(rule.match.body for rule in rules.values())


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)
