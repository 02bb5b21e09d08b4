"""The options of `fault add`, and the plan that they spell."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import request

_MATCH = {
    "connection": "only calls of this connection",
    "operation": "only this operation; more than once for several",
    "family": "only operations of this family, all versions",
    "method": "only this HTTP method",
    "path": "only paths below the connection that look like this, as /v2/Mail*",
    "query": "only calls whose query parameter NAME looks like VALUE",
    "body": "only calls whose body has a member NAME that looks like VALUE, as Message.Subject=Hi*",
}
_PAIRS = ("query", "body")
_WHEN = {
    "after": "after",
    "times": "times",
    "probability": "probability",
    "seed": "seed",
    "since": "from",
    "until": "until",
}
"""What each option about time and number is in a rule."""
_EFFECT = {
    "status": "status",
    "shape": "shape",
    "message": "message",
    "code": "code",
    "answer": "body",
    "retry_after": "retryAfter",
    "phase": "phase",
    "delay": "delay",
    "delay_by": "delayBy",
    "break_": "break",
    "names": "names",
}
"""What each option about the effect is in an effect."""


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("fault", nargs="?", metavar="FAULT", help="one of `fault names`")
    command.add_argument("--file", metavar="PLAN", help="a whole plan as JSON, - for standard input; goes alone")
    command.add_argument("--name", help="what the fault is called in this sandbox (default: one is made up)")
    command.add_argument("--optional", action="store_true", default=None, help="it need not be reached")
    command.add_argument("--header", metavar="TEXT", help="only calls with the header x-outlook-emulator-plan: TEXT")
    _match(command.add_argument_group("which calls"))
    _when(command.add_argument_group("when"))
    _effect(command.add_argument_group("what happens"))


def _match(group: Any) -> None:
    for name, help in _MATCH.items():
        several = {"action": "append"} if name in ("operation", *_PAIRS) else {}
        group.add_argument(
            f"--{name}",
            dest=f"match_{name}",
            metavar="NAME=VALUE" if name in _PAIRS else name.upper(),
            help=help,
            **several,
        )


def _when(group: Any) -> None:
    group.add_argument("--nth", type=_numbers, metavar="N[,N]", help="only the nth of these calls")
    group.add_argument("--after", type=int, metavar="N", help="not the first N of them")
    group.add_argument("--times", type=int, metavar="N", help="so often at most")
    group.add_argument("--probability", type=float, metavar="P", help="with this chance, from 0 to 1")
    group.add_argument("--seed", type=int, metavar="N", help="what chance begins with")
    group.add_argument("--from", dest="since", metavar="WHEN", help="not before: an instant, or how long from now")
    group.add_argument("--until", metavar="WHEN", help="not after: an instant, or how long from now")


def _effect(group: Any) -> None:
    group.add_argument(
        "--sequence",
        metavar="EFFECT,...",
        help="a fault, a status or `work` for one call after the other, as timeout-504-after,503,work",
    )
    group.add_argument("--status", type=int, help="answer with this status")
    group.add_argument("--shape", choices=("connector", "gateway", "wrapped"), help="the form of the error")
    group.add_argument("--message", metavar="TEXT", help="the error's text")
    group.add_argument("--code", metavar="CODE", help="the error's code")
    group.add_argument("--answer", metavar="TEXT", help="the whole body to answer with")
    group.add_argument(
        "--answer-header",
        action="append",
        metavar="NAME=VALUE",
        help="a header to answer with; more than once for several",
    )
    group.add_argument("--retry-after", type=int, metavar="SECONDS", help="what Retry-After says")
    group.add_argument("--phase", choices=("before", "after"), help="whether the operation is done all the same")
    group.add_argument("--delay", metavar="DURATION", help="answer so much later, as 30s")
    group.add_argument("--delay-by", choices=("clock", "real"), help="by the sandbox's clock or in real time")
    group.add_argument(
        "--break", dest="break_", choices=("reset", "cut", "stall", "malformed"), help="keep the answer from arriving"
    )
    group.add_argument("--names", metavar="PATTERN", help="which files `attachment-skipped` is about, as *.pdf")


def plan_of(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The plan that the options spell, None where a file holds it. Raises ValueError for options that contradict."""
    rule = request.without_none(
        {
            "name": arguments.name,
            "optional": arguments.optional,
            "match": _match_of(arguments) or None,
            "when": _when_of(arguments) or None,
            **_outcome_of(arguments),
        }
    )
    if arguments.file is not None:
        if rule or arguments.header is not None:
            raise ValueError("--file goes alone: the plan in it says everything")
        return None
    if not rule.keys() & {"effect", "sequence"}:
        raise ValueError("say what happens: a fault's name, --sequence, an effect such as --status 503, or --file")
    return request.without_none({"header": arguments.header, "faults": [rule]})


def _match_of(arguments: argparse.Namespace) -> dict[str, Any]:
    found = request.without_none({name: getattr(arguments, f"match_{name}") for name in _MATCH})
    for name in _PAIRS:
        if name in found:
            found[name] = dict(_pair(f"--{name}", one) for one in found[name])
    if len(found.get("operation", ())) == 1:
        (found["operation"],) = found["operation"]
    return found


def _when_of(arguments: argparse.Namespace) -> dict[str, Any]:
    found = {name: getattr(arguments, option) for option, name in _WHEN.items()}
    nth = arguments.nth[0] if arguments.nth and len(arguments.nth) == 1 else arguments.nth
    return request.without_none({"nth": nth, **found})


def _outcome_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The rule's `effect` or `sequence`, nothing where neither is arguments."""
    effect = request.without_none({name: getattr(arguments, option) for option, name in _EFFECT.items()})
    if arguments.answer_header:
        effect["headers"] = dict(_pair("--answer-header", one) for one in arguments.answer_header)
    if arguments.sequence is not None:
        if effect or arguments.fault is not None:
            raise ValueError("--sequence says all that happens; other effects are for a plan given by --file")
        return {"sequence": [_step(one) for one in arguments.sequence.split(",")]}
    if arguments.fault is not None and effect:
        return {"effect": {"fault": arguments.fault, **effect}}
    return {"effect": arguments.fault or effect} if arguments.fault is not None or effect else {}


def _step(word: str) -> Any:
    word = word.strip()
    return {"status": int(word)} if word.isascii() and word.isdigit() else word


def _pair(option: str, word: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not (name and separator):
        raise ValueError(f"{option} takes NAME=VALUE, not '{word}'")
    return name, value


def _numbers(word: str) -> list[int]:
    return [int(one) for one in word.split(",")]
