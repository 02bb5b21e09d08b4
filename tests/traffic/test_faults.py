"""Fault rules: which requests they match, in which order, and what they count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count, islice, repeat
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.errors import Conflict, NotFound
from outlook_emulator.traffic.call_facts import CallFacts, Match
from outlook_emulator.traffic.faults import ARMED, MOST_RULES, OVER, USED_UP, WORK, Effect, Hit, Rule, Rulebook, When

FIXED = settings(derandomize=True, database=None, deadline=None)
SECOND = 1_000_000
NOW = 1_772_442_000 * SECOND
HOUR = 3_600 * SECOND
FIRST, NEXT, THIRD = Effect(fault="first"), Effect(fault="second"), Effect(fault="third")
LATE = Effect(fault="trigger-delayed", trigger_delay=HOUR)
PLAN = "t-17"


def seen(operation: str = "SendEmailV2", **more: Any) -> CallFacts:
    usual: dict[str, Any] = {"connection": "c1", "family": "", "method": "POST", "path": "/", "query": b"", "body": b""}
    return CallFacts(operation=operation, **{**usual, **more})


def rule(*steps: Effect, seed: int = 1, **more: Any) -> Callable[[str], Rule]:
    """A factory that makes a rule from its name; by default the rule matches every request."""
    match, header = more.pop("match", Match()), more.pop("header", None)
    make = partial(
        Rule,
        match=match,
        when=When(**more),
        steps=steps or (FIRST,),
        once_each=len(steps) > 1,
        source={},
        rng=Random(seed),
        header=header,
    )
    return lambda name: make(name=name)


def armed_rulebook(*rules: Callable[[str], Rule]) -> Rulebook:
    """A rulebook with these rules, named by number."""
    book = Rulebook()
    book.arm(rules, [None] * len(rules))
    return book


def hit(book: Rulebook, operation: str = "SendEmailV2", header: str | None = None, now: int = NOW) -> str | None:
    """The fault for a request, or None."""
    match = book.hit(seen(operation), header, now)
    return None if match is None else match.effect.fault


def ledger(book: Rulebook, now: int = NOW) -> list[tuple[str, int, int, str]]:
    return [
        (armed_rule.name, armed_rule.matched, armed_rule.used, armed_rule.state(now)) for armed_rule in book.rules()
    ]


def test_no_rules() -> None:
    """A rulebook without rules has no effect, and its flags say so."""
    book = Rulebook()

    assert (None, None, False) == (
        book.hit(seen(), None, NOW),
        book.trigger_hit(seen(), None, NOW),
        book.hold_back(seen(), None, "poll", NOW),
    )
    assert (False, False, False) == (book.has_request_rules, book.has_trigger_rules, book.reads_bodies)


@pytest.mark.parametrize(
    ("when", "acts"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": frozenset({2})}, [2]),
        ({"nth": frozenset({1, 4, 5})}, [1, 4, 5]),
        ({"after": 4}, [5, 6]),
        ({"times": 2}, [1, 2]),
        ({"after": 2, "times": 3}, [3, 4, 5]),
        ({"after": 6}, []),
        ({"probability": 0.0}, []),
    ],
)
def test_when(when: dict[str, Any], acts: list[int]) -> None:
    """Matching requests are counted from 1, and `when` selects those on which the rule acts."""
    book = armed_rulebook(rule(**when))

    assert acts == [number for number in range(1, 7) if hit(book) is not None]


def test_only_matching_requests_count() -> None:
    """A request for another operation is not counted, and does not use up the rule."""
    book = armed_rulebook(rule(match=Match(operations=frozenset({"sendemailv2"})), nth=frozenset({2})))

    called = ("GetEmails", "SendEmailV2", "GetEmails", "SendEmailV2")
    assert [None, None, None, "first"] == [hit(book, operation) for operation in called]
    assert [("fault-1", 2, 1, USED_UP)] == ledger(book)


def test_window() -> None:
    """A rule acts from `since` until just before `until`, and counts requests only within that time."""
    book = armed_rulebook(rule(since=NOW + 1, until=NOW + 3))

    assert [None, "first", "first", None] == [hit(book, now=NOW + step) for step in range(4)]
    assert [("fault-1", 2, 2, OVER)] == ledger(book, NOW + 3)


def test_sequence() -> None:
    """Each step of a sequence happens once, in order; later requests pass and are not counted."""
    book = armed_rulebook(rule(FIRST, NEXT, WORK, THIRD))

    matches = [book.hit(seen(), None, NOW) for _ in range(6)]
    assert [FIRST, NEXT, WORK, THIRD, None, None] == [match and match.effect for match in matches]
    assert [("fault-1", 4, 4, USED_UP)] == ledger(book)


def test_seed_determines_random_faults() -> None:
    """The same seed selects the same requests, a different seed selects others, and rules draw independently."""
    sends, reads = Match(operations=frozenset({"sendemailv2"})), Match(operations=frozenset({"getemails"}))
    once, again, other = (armed_rulebook(rule(probability=0.5, seed=seed)) for seed in (7, 7, 8))
    both = armed_rulebook(rule(probability=0.5, match=reads), rule(probability=0.5, seed=7, match=sends))
    own = [hit(once) for _ in range(64)]

    assert own == [hit(again) for _ in range(64)]
    assert own != [hit(other) for _ in range(64)]
    assert own == [[hit(both, operation) for operation in ("GetEmails", "SendEmailV2")][1] for _ in range(64)]
    assert {None, "first"} == set(own)


@pytest.mark.parametrize(
    ("when", "calls", "now", "state"),
    [
        ({}, 0, NOW, ARMED),
        ({}, 9, NOW, ARMED),
        ({"times": 2}, 1, NOW, ARMED),
        ({"times": 2}, 2, NOW, USED_UP),
        ({"nth": frozenset({2, 3})}, 2, NOW, ARMED),
        ({"nth": frozenset({2, 3})}, 3, NOW, USED_UP),
        ({"nth": frozenset({2}), "probability": 0.0}, 2, NOW, OVER),
        ({"after": 3}, 3, NOW, ARMED),
        ({"since": NOW + 1}, 1, NOW, ARMED),
        ({"until": NOW + 1}, 0, NOW, ARMED),
        ({"until": NOW + 1}, 0, NOW + 1, OVER),
        ({"until": NOW + 1}, 1, NOW + 1, OVER),
        ({"until": NOW + 1, "times": 1}, 1, NOW + 1, USED_UP),
    ],
)
def test_state(when: dict[str, Any], calls: int, now: int, state: str) -> None:
    """A rule is armed while it may act, used up after its last action, and over if it can no longer act."""
    book = armed_rulebook(rule(**when))
    for _ in range(calls):
        hit(book)

    assert state == book.rules()[0].state(now)


def test_first_rule_that_acts() -> None:
    """The first rule that acts wins; rules before it count the request, and rules after it do not."""
    book = armed_rulebook(rule(FIRST, after=1, times=1), rule(NEXT, times=1), rule(THIRD))

    assert ["second", "first", "third"] == [hit(book) for _ in range(3)]
    assert [("fault-1", 2, 1, USED_UP), ("fault-2", 1, 1, USED_UP), ("fault-3", 1, 1, ARMED)] == ledger(book)


def test_hit_names_the_rule() -> None:
    """A hit names the rule that acts on the request."""
    book = armed_rulebook(rule(after=9), rule())

    assert Hit(book.named("fault-2"), FIRST) == book.hit(seen(), None, NOW)


@pytest.mark.parametrize(("header", "expected"), [(PLAN, "first"), (None, None), ("", None), ("T-17", None)])
def test_rule_bound_to_a_header(header: str | None, expected: str | None) -> None:
    """A rule with a header matches and counts only requests with exactly this header value."""
    book = armed_rulebook(rule(header=PLAN))

    assert expected == hit(book, header=header)
    assert int(expected is not None) == book.rules()[0].matched


def test_rule_without_a_header() -> None:
    """A rule without a header matches requests with any header value."""
    assert "first" == hit(armed_rulebook(rule()), header=PLAN)


def test_names() -> None:
    """Rules without a name get the next free number, and rules keep their order."""
    book = Rulebook()
    armed_rules = book.arm([rule(), rule(), rule(), rule()], [None, "own", "fault-3", None])
    more = book.arm([rule(), rule()], [None, None])

    names = ["fault-1", "own", "fault-3", "fault-2", "fault-4", "fault-5"]
    assert (
        names
        == [armed_rule.name for armed_rule in [*armed_rules, *more]]
        == [armed_rule.name for armed_rule in book.rules()]
    )
    assert armed_rules[1] is book.named("own")


@pytest.mark.parametrize("names", [["new", "taken"], ["new", "new"], [None, "fault-1"]])
def test_duplicate_name(names: list[str | None]) -> None:
    """A rule with an existing name is rejected, and so are all rules armed with it."""
    book = Rulebook()
    book.arm([rule()], ["taken"])

    with pytest.raises(Conflict, match=f"A fault rule '{names[1]}' exists already"):
        book.arm([rule(), rule()], names)
    assert ["taken"] == [armed_rule.name for armed_rule in book.rules()]


def test_rejected_rules_use_no_numbers() -> None:
    """A rejected request to arm rules uses up no numbers."""
    book = Rulebook()
    with pytest.raises(Conflict):
        book.arm([rule(), rule(), rule()], [None, "one", "one"])

    assert ["fault-1"] == [armed_rule.name for armed_rule in book.arm([rule()], [None])]


def test_invalid_rule_arms_none() -> None:
    """If one rule is invalid, none is armed."""

    def broken(name: str) -> Rule:
        raise ValueError(name)

    book = Rulebook()
    with pytest.raises(ValueError, match="fault-2"):
        book.arm([rule(), broken], [None, None])
    assert ([], False) == (book.rules(), book.has_request_rules)


def test_rule_limit() -> None:
    """A sandbox has a maximum number of rules; arming more rejects them all."""
    book = armed_rulebook(*[rule()] * (MOST_RULES - 1))

    with pytest.raises(Conflict, match="at most 1000 fault rules"):
        book.arm([rule(), rule()], [None, None])
    assert MOST_RULES - 1 == len(book.rules())
    book.arm([rule()], [None])
    assert MOST_RULES == len(book.rules())


def test_remove() -> None:
    """A removed rule no longer acts, and the other rules keep their counts."""
    book = armed_rulebook(rule(FIRST), rule(NEXT))
    hit(book)
    book.remove("fault-1")

    assert "second" == hit(book)
    assert [("fault-2", 1, 1, ARMED)] == ledger(book)
    assert ["fault-3"] == [armed_rule.name for armed_rule in book.arm([rule()], [None])]


@pytest.mark.parametrize("act", [Rulebook.named, Rulebook.remove])
def test_unknown_rule(act: Callable[[Rulebook, str], object]) -> None:
    """The error for an unknown rule lists the existing rules, and nothing is removed."""
    book = armed_rulebook(rule(), rule())

    with pytest.raises(NotFound, match=r"No fault rule 'other' exists\. There are: fault-1, fault-2\."):
        act(book, "other")
    with pytest.raises(NotFound, match=r"There are: none\."):
        act(Rulebook(), "other")
    assert 2 == len(book.rules())


def test_clear() -> None:
    """A cleared rulebook is like a new one, and its numbers start at 1."""
    book = armed_rulebook(rule(), rule(LATE), rule(match=Match(body={"To": "*"})))
    book.clear()

    assert (None, [], False, False, False) == (
        hit(book),
        book.rules(),
        book.has_request_rules,
        book.has_trigger_rules,
        book.reads_bodies,
    )
    assert ["fault-1"] == [armed_rule.name for armed_rule in book.arm([rule()], [None])]


def test_rulebook_flags() -> None:
    """A rulebook has flags for rules on requests, rules on triggers, and rules that match bodies."""
    book = Rulebook()
    answers = []
    for name, make in (("calls", rule()), ("finds", rule(LATE)), ("bodies", rule(match=Match(body={"To": "*"})))):
        book.arm([make], [name])
        answers.append((book.has_request_rules, book.has_trigger_rules, book.reads_bodies))
        book.remove(name)

    assert [(True, False, False), (False, True, False), (True, False, True)] == answers
    assert (False, False, False) == (book.has_request_rules, book.has_trigger_rules, book.reads_bodies)


def test_trigger_and_request_rules_are_separate() -> None:
    """A trigger rule never acts on a request, and a request rule never delays a trigger."""
    book = armed_rulebook(rule(FIRST, times=1), rule(LATE, times=1))

    assert (FIRST, None) == tuple(match and match.effect for match in (book.hit(seen(), None, NOW) for _ in range(2)))
    assert (LATE, None) == tuple(
        match and match.effect for match in (book.trigger_hit(seen(), None, NOW) for _ in range(2))
    )
    assert [("fault-1", 1, 1, USED_UP), ("fault-2", 1, 1, USED_UP)] == ledger(book)


def test_poll_is_delayed() -> None:
    """New items of a poll are delayed until the trigger delay is over, and are not delayed again."""
    book = armed_rulebook(rule(LATE))

    assert Hit(book.named("fault-1"), LATE) == book.hold_back(seen(), None, "poll", NOW)
    instants = (NOW, NOW + HOUR - 1, NOW + HOUR, NOW + 9 * HOUR)
    assert [True, True, False, False] == [book.hold_back(seen(), None, "poll", now) for now in instants]
    assert [("fault-1", 1, 1, ARMED)] == ledger(book)


def test_polls_are_delayed_separately() -> None:
    """Each poll counts separately, so a rule that is used up does not delay another poll."""
    book = armed_rulebook(rule(LATE, times=1))

    first, other = (book.hold_back(seen(), None, state, NOW) for state in ("poll", "other"))
    assert (True, False) == (bool(first), other)
    assert book.hold_back(seen(), None, "poll", NOW + 1) is True


def test_poll_that_does_not_match() -> None:
    """A poll of another connection, or without the rule's header, is not delayed."""
    book = armed_rulebook(rule(LATE, match=Match(connection="c1"), header=PLAN))

    assert book.hold_back(seen(), None, "poll", NOW) is False
    assert book.hold_back(seen(connection="c2"), PLAN, "poll", NOW) is False
    assert isinstance(book.hold_back(seen(), PLAN, "poll", NOW), Hit)


@pytest.mark.parametrize("away", [Rulebook.clear, partial(Rulebook.remove, name="late")])
def test_removed_rule_ends_its_delays(away: Callable[[Rulebook], None]) -> None:
    """Removing a rule ends its delays, and a new rule of the same name starts its own."""
    book = Rulebook()
    book.arm([rule(LATE)], ["late"])
    book.hold_back(seen(), None, "poll", NOW)
    away(book)

    assert book.hold_back(seen(), None, "poll", NOW) is False
    book.arm([rule(LATE)], ["late"])
    assert isinstance(book.hold_back(seen(), None, "poll", NOW), Hit)


def test_other_rules_keep_their_delays() -> None:
    """Adding or removing a rule does not change the delays of other rules."""
    book = armed_rulebook(rule(LATE, times=1), rule(LATE, times=1))
    book.hold_back(seen(), None, "poll", NOW)
    book.hold_back(seen(), None, "other", NOW)
    book.remove("fault-2")
    book.arm([rule()], [None])

    assert [True, False] == [book.hold_back(seen(), None, state, NOW) for state in ("poll", "other")]


def test_delayed_poll_limit() -> None:
    """Above the maximum number of delayed polls the oldest is forgotten, and counts as a new poll."""
    book = armed_rulebook(rule(LATE))
    for number in range(MOST_RULES + 1):
        book.hold_back(seen(), None, f"poll-{number}", NOW)

    assert book.hold_back(seen(), None, "poll-1", NOW) is True
    assert isinstance(book.hold_back(seen(), None, "poll-0", NOW), Hit)


@dataclass
class RuleSpec:
    """The operations, the header, the conditions and the steps of a rule."""

    operations: frozenset[str]
    header: str | None
    when: When
    steps: tuple[Effect, ...]
    once_each: bool
    seed: int

    def make(self, name: str) -> Rule:
        return Rule(
            name=name,
            match=Match(operations=self.operations),
            when=self.when,
            steps=self.steps,
            once_each=self.once_each,
            source={},
            rng=Random(self.seed),
            header=self.header,
        )


@dataclass
class Reference:
    """A reference implementation of a rule, as two generators: whether it acts, and its next effect."""

    spec: RuleSpec
    counted: int = 0
    done: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turns = self._all_turns()
        effects = self.spec.steps if self.spec.once_each else chain(self.spec.steps, repeat(self.spec.steps[-1]))
        self._effects = islice(effects, self.spec.when.times)
        self._next = next(self._effects, None)

    def _all_turns(self) -> Iterator[bool]:
        when, rng = self.spec.when, Random(self.spec.seed)
        for number in count(1):
            is_turn = number > when.after and (not when.nth or number in when.nth)
            yield is_turn and rng.random() < when.probability

    def ask(self, operation: str, header: str | None, now: int) -> Effect | None:
        spec, when = self.spec, self.spec.when
        is_meant = operation.lower() in spec.operations and spec.header in (None, header)
        is_time = (when.since is None or when.since <= now) and (when.until is None or now < when.until)
        if not (is_meant and is_time and self._next):
            return None
        self.counted += 1
        if not next(self._turns):
            return None
        effect, self._next = self._next, next(self._effects, None)
        self.done.append(effect)
        return effect

    def state(self, now: int) -> str:
        when = self.spec.when
        if self._next is None:
            return USED_UP
        if when.until is not None and when.until <= now:
            return OVER
        if when.nth and not any(self.counted < nth for nth in when.nth):
            return USED_UP if self.done else OVER
        return ARMED


INSTANTS = st.none() | st.integers(NOW, NOW + 10)
WHENS = st.builds(
    When,
    nth=st.frozensets(st.integers(1, 6), max_size=3),
    after=st.integers(0, 3),
    times=st.none() | st.integers(1, 4),
    probability=st.sampled_from([1.0, 0.7, 0.3]),
    since=INSTANTS,
    until=INSTANTS,
)
RULES = st.builds(
    RuleSpec,
    operations=st.sampled_from([frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})]),
    header=st.sampled_from([None, PLAN]),
    when=WHENS | st.builds(When),
    steps=st.lists(st.sampled_from([FIRST, NEXT, WORK]), min_size=1, max_size=3).map(tuple),
    once_each=st.booleans(),
    seed=st.integers(0, 99),
)
CALLS = st.tuples(st.sampled_from("AB"), st.sampled_from([None, PLAN]), st.sampled_from([0, 0, 1, 3]))


@pytest.mark.slow
@given(st.lists(RULES, min_size=1, max_size=4), st.lists(CALLS, max_size=25))
@settings(FIXED, max_examples=400)
def test_any_rules_and_requests(rules: list[RuleSpec], calls: list[tuple[str, str | None, int]]) -> None:
    """For any rules and requests, the first rule that acts determines the effect, and the counts are right."""
    book, references, now = armed_rulebook(*[spec.make for spec in rules]), [Reference(spec) for spec in rules], NOW
    for operation, header, step in calls:
        now += step
        effects = (reference.ask(operation, header, now) for reference in references)
        expected = next((effect for effect in effects if effect is not None), None)
        match = book.hit(seen(operation), header, now)

        assert expected == (match and match.effect)
        counts = [(reference.counted, len(reference.done), reference.state(now)) for reference in references]
        assert counts == [(armed_rule.matched, armed_rule.used, armed_rule.state(now)) for armed_rule in book.rules()]


@pytest.mark.slow
@given(st.lists(RULES, min_size=1, max_size=4), st.lists(CALLS, max_size=25))
@FIXED
def test_trigger_rules_count_like_request_rules(
    rules: list[RuleSpec], calls: list[tuple[str, str | None, int]]
) -> None:
    """The same rules act on the same items for triggers as for requests."""
    late = [replace(spec, steps=tuple(replace(step, trigger_delay=HOUR) for step in spec.steps)) for spec in rules]
    request_book, trigger_book = (
        armed_rulebook(*[spec.make for spec in rules]),
        armed_rulebook(*[spec.make for spec in late]),
    )
    for operation, header, step in calls:
        request_match = request_book.hit(seen(operation), header, NOW + step)
        trigger_match = trigger_book.trigger_hit(seen(operation), header, NOW + step)

        assert (request_match and (request_match.rule.name, request_match.effect.fault)) == (
            trigger_match and (trigger_match.rule.name, trigger_match.effect.fault)
        )
    assert ledger(request_book) == ledger(trigger_book)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "fault-1", "fault-2", "fault-3"])), max_size=6))
@FIXED
def test_all_or_none(names: list[str | None]) -> None:
    """Rules are armed together, each with a name of its own, or the rulebook is unchanged."""
    book = armed_rulebook(rule(), rule())
    before = book.rules()
    try:
        armed_rules = book.arm([rule()] * len(names), names)
    except Conflict:
        assert before == book.rules()
    else:
        assert [*before, *armed_rules] == book.rules()
        assert all(name in (None, armed_rule.name) for name, armed_rule in zip(names, armed_rules, strict=True))
        assert len(book.rules()) == len({armed_rule.name for armed_rule in book.rules()})
