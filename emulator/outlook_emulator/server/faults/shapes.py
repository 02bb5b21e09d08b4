"""What the admin API's verbs about faults read and answer; a file of fault rules holds a `FaultPlan` too."""

from __future__ import annotations

from typing import Annotated, Any, Required

from typing_extensions import TypedDict

from outlook_emulator.wire.base import Schema


class FaultMatch(TypedDict, total=False):
    """Which calls a rule is about: all that is given must fit.

    `path` starts below the connection id. It and the values of `query` and `body` are patterns in which `*` stands for
    anything; case does not count. A name in `body` may lead into objects and lists, with dots: `Message.Subject`.
    """

    connection: str
    operation: Annotated[list[str], Schema(one_or_many=True)]
    family: str
    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]


FaultWhen = TypedDict(
    "FaultWhen",
    {
        "nth": Annotated[list[int], Schema(one_or_many=True)],
        "after": int,
        "times": int,
        "probability": float,
        "seed": int,
        "from": str,
        "until": str,
    },
    total=False,
)
FaultWhen.__doc__ = """On which of the matching calls a rule acts.

Counted are the matching calls that no earlier rule has acted on, from 1. `nth` names them, `after` leaves the first
ones alone, `times` is how often the rule acts at most. `from` and `until` are instants, or durations since the rule was
armed, by the sandbox's clock; calls outside of them do not count. Chance begins with `seed`, or else with the server's
setting and the rule's name.
"""

FaultEffect = TypedDict(
    "FaultEffect",
    {
        "fault": str,
        "status": int,
        "shape": Annotated[str, Schema(choices=("connector", "gateway", "wrapped"))],
        "message": str,
        "code": str,
        "body": Any,
        "headers": dict[str, str],
        "retryAfter": int,
        "phase": Annotated[str, Schema(choices=("before", "after"))],
        "delay": str,
        "delayBy": Annotated[str, Schema(choices=("clock", "real"))],
        "break": Annotated[str, Schema(choices=("reset", "cut", "stall", "malformed"))],
        "names": str,
    },
    total=False,
)
FaultEffect.__doc__ = """What happens to a call: a named fault, or what the other members say.

A text stands for the fault of that name. `shape` is whose form an error has; `body` takes the place of it, a text as it
is and all else as JSON. `retryAfter` is in seconds. In the phase `after` the operation has done its work by then.
`break` keeps the answer from arriving whole. `names` is the pattern of a fault about files.
"""


class FaultRule(TypedDict, total=False):
    """One rule: which calls, when, and what happens, each time the same or one step after the other.

    In a sequence a call can be let through with `work`; after the last step the rule does nothing any more. A rule that
    is `optional` need not be reached.
    """

    name: str
    optional: bool
    match: FaultMatch
    when: FaultWhen
    effect: Annotated[FaultEffect, Schema(shorthand="fault")]
    sequence: Annotated[list[FaultEffect], Schema(shorthand="fault")]


class FaultPlan(TypedDict, total=False):
    """Rules that are armed together, all or none.

    With a `header` they act on those requests only that carry it as `x-outlook-emulator-plan`.
    """

    header: str
    faults: Required[list[FaultRule]]


class FaultFacts(TypedDict):
    """A rule as it was given, and what became of it.

    `state` is armed, used up (it did all it was to do) or over (it cannot act any more, and never did, or its time has
    passed). `matched` counts the calls that were meant, `used` those on which it acted.
    """

    name: str
    state: Annotated[str, Schema(choices=("armed", "used up", "over"))]
    matched: int
    used: int
    neverReached: bool
    optional: bool
    header: str | None
    rule: Any


class FaultLedger(TypedDict):
    """Rules in the order they are asked."""

    value: list[FaultFacts]


class NamedFaultFacts(TypedDict):
    """A trouble of the connector that can be had by name.

    `documentation` is where it is described, `families` are the operations it can happen to, none where it is all of
    them; `takes` are the members that an effect of this name may have.
    """

    name: str
    summary: str
    documentation: str
    families: list[str]
    takes: list[str]


class NamedFaultList(TypedDict):
    """All faults with a name."""

    value: list[NamedFaultFacts]
