"""JSON shapes of faults. A file of fault rules holds a `FaultPlan`, like the body of the admin request."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from typing_extensions import TypedDict

from outlook_emulator.server.schemas import shape_of
from outlook_emulator.traffic import fault_plan
from outlook_emulator.traffic.faults import RuleState
from outlook_emulator.wire.base import Schema

FaultPlan = shape_of(fault_plan.FaultPlan)


class FaultFacts(TypedDict):
    """A rule in the form in which it was armed, and how often it acted.

    `state` is armed, used up (it has acted as often as it can) or over (it can no longer act, because it never did in
    time or its time has passed). `matched` counts the matching requests, `used` those on which the rule acted.
    """

    name: str
    state: Annotated[str, Schema(choices=get_args(RuleState))]
    matched: int
    used: int
    neverReached: bool
    optional: bool
    header: str | None
    rule: Any


class FaultLedger(TypedDict):
    """The rules of a sandbox, in the order in which they are tried."""

    value: list[FaultFacts]


class NamedFaultFacts(TypedDict):
    """A known failure of the connector, as a named fault.

    `documentation` is the page that describes it. `families` are the operations it can happen to; empty for all.
    `takes` are the options that its effect may have besides `delay` and `delayBy`.
    """

    name: str
    summary: str
    documentation: str
    families: list[str]
    takes: list[str]


class NamedFaultList(TypedDict):
    """All named faults."""

    value: list[NamedFaultFacts]
