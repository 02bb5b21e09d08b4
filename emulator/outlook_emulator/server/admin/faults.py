"""The admin API's verbs about faults: which there are by name, what is armed in a sandbox, and what became of it."""

from __future__ import annotations

from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.request import AdminOperation, Call
from outlook_emulator.server.faults import plans, shapes
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.traffic.faults import Rule


def list_names(call: Call) -> shapes.NamedFaultList:
    return {
        "value": [
            {
                "name": one.name,
                "summary": one.summary,
                "documentation": one.documentation,
                "families": one.families,
                "takes": sorted(one.takes),
            }
            for one in NAMED.values()
        ]
    }


def list_faults(call: Call) -> shapes.FaultLedger:
    return _ledger(call.sandbox, call.sandbox.traffic.faults.rules())


def arm_faults(call: Call) -> shapes.FaultLedger:
    return _ledger(call.sandbox, plans.arm(call.sandboxes, call.sandbox, call.body))


def get_fault(call: Call) -> shapes.FaultFacts:
    return _facts(call.sandbox, call.sandbox.traffic.faults.named(call.request.path_params["fault"]))


def remove_fault(call: Call) -> None:
    call.sandbox.traffic.remove_fault(call.request.path_params["fault"])


def clear_faults(call: Call) -> None:
    call.sandbox.traffic.clear_faults()


def _ledger(sandbox: Sandbox, rules: list[Rule]) -> shapes.FaultLedger:
    return {"value": [_facts(sandbox, one) for one in rules]}


def _facts(sandbox: Sandbox, rule: Rule) -> shapes.FaultFacts:
    return {
        "name": rule.name,
        "state": rule.state(sandbox.clock.now()),
        "matched": rule.matched,
        "used": rule.used,
        "neverReached": rule.matched == 0,
        "optional": rule.optional,
        "header": rule.header,
        "rule": rule.given,
    }


_FAULTS = "/sandboxes/{sandbox}/faults"

ROWS = (
    AdminOperation(
        id="ListNamedFaults",
        method="GET",
        path="/faults",
        summary="List the connector's own troubles that can be had by name",
        run=list_names,
        returns=shapes.NamedFaultList,
    ),
    AdminOperation(
        id="ListFaults",
        method="GET",
        path=_FAULTS,
        summary="List the fault rules of a sandbox, and how often each has acted",
        run=list_faults,
        returns=shapes.FaultLedger,
    ),
    AdminOperation(
        id="ArmFaults",
        method="POST",
        path=_FAULTS,
        summary="Arm a plan of fault rules, all of them or none",
        run=arm_faults,
        accepts=shapes.FaultPlan,
        returns=shapes.FaultLedger,
        status=201,
        strict=True,
    ),
    AdminOperation(
        id="ClearFaults",
        method="DELETE",
        path=_FAULTS,
        summary="Take all fault rules of a sandbox away",
        run=clear_faults,
        status=204,
    ),
    AdminOperation(
        id="GetFault",
        method="GET",
        path=f"{_FAULTS}/{{fault}}",
        summary="Show one fault rule",
        run=get_fault,
        returns=shapes.FaultFacts,
    ),
    AdminOperation(
        id="RemoveFault",
        method="DELETE",
        path=f"{_FAULTS}/{{fault}}",
        summary="Take one fault rule away",
        run=remove_fault,
        status=204,
    ),
)
