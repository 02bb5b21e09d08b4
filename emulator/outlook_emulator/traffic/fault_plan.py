"""The options of fault rules, each declared once.

Command-line flags, JSON members, keywords in tests and the documentation's tables are derived from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, Literal

from outlook_emulator.frozen import Frozen
from outlook_emulator.options import option

Shape = Literal["connector", "gateway", "wrapped", "policy"]
Phase = Literal["before", "after"]
DelayClock = Literal["clock", "real"]
Break = Literal["reset", "cut", "stall", "malformed"]
_MOST_COUNTED = 1_000_000_000


class FaultMatch(Frozen, kw_only=True):
    """Which requests a rule applies to. A request must match every option.

    Patterns ignore case, and `*` stands for any text. `path` starts below the connection id. Names in `body` may reach
    into objects and lists with dots: `Message.Subject`.
    """

    connection: str | None = option(None, "only requests on this connection")
    operation: tuple[str, ...] | None = option(None, "only these operations", metavar="OPERATION")
    family: str | None = option(None, "only operations of this family, in all versions")
    method: str | None = option(None, "only this HTTP method")
    path: str | None = option(None, "only paths that match this pattern, such as /v2/Mail*")
    query: Mapping[str, Any] | None = option(None, "only requests whose query parameter NAME matches VALUE")
    body: Mapping[str, Any] | None = option(
        None, "only requests whose body member NAME matches VALUE, such as Message.Subject=Hi*"
    )


class FaultWhen(Frozen, kw_only=True):
    """Which of the matching requests a rule acts on.

    Matching requests are counted from 1, without those that an earlier rule acted on. `from` and `until` are instants,
    or durations since the rule was armed, by the sandbox's clock; requests outside of them are not counted. The default
    `seed` is made of the server's random seed and the rule's name.
    """

    nth: tuple[int, ...] | None = option(
        None, "only the nth matching requests", least=1, most=_MOST_COUNTED, metavar="N[,N]"
    )
    after: int | None = option(None, "skip the first N matching requests", least=0, most=_MOST_COUNTED, metavar="N")
    times: int | None = option(None, "act at most N times", least=1, most=_MOST_COUNTED, metavar="N")
    probability: float | None = option(None, "act with this probability, above 0 and up to 1", metavar="P")
    seed: int | None = option(None, "seed of the random generator behind the probability", metavar="N")
    from_: str | None = option(None, "act from this instant on, or after this duration", metavar="WHEN")
    until: str | None = option(None, "act until this instant, or for this duration", metavar="WHEN")


class FaultEffect(Frozen, kw_only=True):
    """What a rule does to a request: a named fault, or the other options.

    As JSON, a text stands for the fault of that name. A text `body` is sent as it is, anything else as JSON. In the
    phase `after` the operation runs before the effect. `break` keeps the response from arriving whole.
    """

    fault: str | None = option(None, "a named fault, as `fault names` lists them", positional=True)
    status: int | None = option(None, "respond with this status", least=200, most=599)
    shape: Shape | None = option(None, "form of the error")
    message: str | None = option(None, "text of the error", metavar="TEXT")
    code: str | None = option(None, "code of the error")
    # The flag --body is that of a condition on requests.
    body: Any = option(None, "whole body of the response", flag="answer", metavar="TEXT")
    headers: Mapping[str, str] | None = option(None, "additional response headers", flag="answer-header")
    retry_after: int | None = option(None, "seconds in the Retry-After header", least=0, most=86_400, metavar="SECONDS")
    phase: Phase | None = option(None, "whether the effect comes before the operation or after it")
    delay: str | None = option(None, "delay the response, for example by 30s", metavar="DURATION")
    delay_by: DelayClock | None = option(None, "measure the delay by the sandbox's clock or in real time")
    break_: Break | None = option(None, "keep the response from arriving whole")
    names: str | None = option(
        None, "pattern of the file names that `attachment-skipped` hides, such as *.pdf", metavar="PATTERN"
    )
    addresses: tuple[str, ...] | None = option(
        None, "patterns of the addresses whose mail `undeliverable` returns, such as *@contoso.com", metavar="PATTERN"
    )


class FaultRule(Frozen, kw_only=True):
    """One rule: which requests, when, and what happens to them.

    `effect` happens every time; in a `sequence` each request gets the next effect. `work` in a sequence lets a request
    through, and after the last effect the rule does nothing more.
    """

    name: str | None = option(None, "name of the rule in its sandbox; default: a numbered name")
    optional: bool | None = option(None, "the rule may remain unused")
    match: FaultMatch = option(FaultMatch(), "which requests")
    when: FaultWhen = option(FaultWhen(), "which of the matching requests")
    effect: FaultEffect | None = option(None, "what happens", shorthand="fault")
    sequence: tuple[FaultEffect, ...] | None = option(
        None, "what happens to one request after the other", shorthand="fault"
    )


class FaultPlan(Frozen, kw_only=True):
    """Rules that are armed together, all or none.

    With a `header` they apply only to requests that carry it as `x-outlook-emulator-plan`.
    """

    header: str | None = option(None, "only requests with the header x-outlook-emulator-plan: TEXT", metavar="TEXT")
    faults: tuple[FaultRule, ...] = option(MISSING, "the rules")
