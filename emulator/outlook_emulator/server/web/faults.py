"""The pages about fault rules and limits."""

from __future__ import annotations

from typing import Any

import orjson

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.server.web.forms import read_number
from outlook_emulator.server.web.option_fields import OptionField, fields_of, members_of
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.settings import limits
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultRule, FaultWhen
from outlook_emulator.wire.large_json import is_too_deep

_PARTS = {"match": FaultMatch, "when": FaultWhen, "effect": FaultEffect}
_OF_RULE = ("match", "when", "effect", "sequence")
"""The parts of a rule that the form shows apart; a sequence is written as JSON."""


async def load_faults(request: PageRequest) -> dict[str, Any]:
    return {
        "rules": (await request.admin("ListFaults"))["value"],
        "named": (await request.admin("ListNamedFaults"))["value"],
        "parts": {
            "match": fields_of(FaultMatch, "match."),
            "when": fields_of(FaultWhen, "when."),
            "effect": fields_of(FaultEffect, "effect.", ("fault",)),
        },
        "of_rule": fields_of(FaultRule, "", _OF_RULE),
        "fault_names": list(NAMED),
        "operations": [operation.id for operation in OPERATIONS],
        "chosen": request.query.get("fault", ""),
    }


async def arm(request: PageRequest) -> str:
    rule: dict[str, Any] = members_of(FaultRule, request.form, "", _OF_RULE)
    for part, declaration in _PARTS.items():
        if members := members_of(declaration, request.form, f"{part}."):
            rule[part] = members
    await request.admin("ArmFaults", {"faults": [rule]})
    return request.url(request.page.path)


async def arm_plan(request: PageRequest) -> None:
    text = request.form.raw("plan")
    try:
        plan = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The plan is not JSON: {error}.") from None
    if is_too_deep(plan):
        raise InvalidRequest("The plan is nested too deeply.")
    await request.admin("ArmFaults", plan)


async def disarm(request: PageRequest) -> None:
    await request.admin("RemoveFault", fault=request.form.text("name"))


async def disarm_all(request: PageRequest) -> None:
    await request.admin("ClearFaults")


async def load_limits(request: PageRequest) -> dict[str, Any]:
    facts = await request.admin("GetLimits")
    fields = [
        OptionField(limit.limit, limit.limit, "number", f"{limit.help}, {limit.range}", (), facts[limit.limit])
        for limit in limits()
    ]
    return {"facts": facts, "fields": fields}


async def change_limits(request: PageRequest) -> None:
    sent = request.form.filled(*(limit.limit for limit in limits()))
    await request.admin("ChangeLimits", {name: read_number(text) for name, text in sent.items()})


PAGES = (
    Page(
        path="/s/{sandbox}/faults",
        title="Faults",
        template="faults.html",
        nav="Faults",
        load=load_faults,
        actions={"arm": arm, "plan": arm_plan, "disarm": disarm, "clear": disarm_all},
    ),
    Page(
        path="/s/{sandbox}/limits",
        title="Limits",
        template="limits.html",
        nav="Limits",
        load=load_limits,
        actions={"change": change_limits},
    ),
)
