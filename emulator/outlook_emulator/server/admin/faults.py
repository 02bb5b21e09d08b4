"""The admin operations that list named faults, and arm, list and remove fault rules."""

from __future__ import annotations

from outlook_emulator.options import camel
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.faults import plans, shapes
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.server.slices import in_slices
from outlook_emulator.traffic.faults import Rule


def list_names(request: AdminRequest) -> shapes.NamedFaultList:
    return {
        "value": [
            {
                "name": fault.name,
                "summary": fault.summary,
                "documentation": fault.documentation,
                "families": fault.families,
                "takes": sorted(map(camel, fault.takes)),
            }
            for fault in NAMED.values()
        ]
    }


def list_faults(request: AdminRequest) -> shapes.FaultLedger:
    return _ledger(request.sandbox, request.sandbox.traffic.faults.rules())


async def arm_faults(request: AdminRequest) -> shapes.FaultLedger:
    rules = await in_slices(plans.arm(request.sandboxes, request.sandbox, request.body), request.sandbox)
    return _ledger(request.sandbox, rules)


def get_fault(request: AdminRequest) -> shapes.FaultFacts:
    return _facts(request.sandbox, request.sandbox.traffic.faults.named(request.path["fault"]))


def remove_fault(request: AdminRequest) -> None:
    request.sandbox.traffic.remove_fault(request.path["fault"])


def clear_faults(request: AdminRequest) -> None:
    request.sandbox.traffic.clear_faults()


def _ledger(sandbox: Sandbox, rules: list[Rule]) -> shapes.FaultLedger:
    return {"value": [_facts(sandbox, rule) for rule in rules]}


def _facts(sandbox: Sandbox, rule: Rule) -> shapes.FaultFacts:
    return {
        "name": rule.name,
        "state": rule.state(sandbox.clock.now()),
        "matched": rule.matched,
        "used": rule.used,
        "neverReached": rule.matched == 0,
        "optional": rule.optional,
        "header": rule.header,
        "rule": rule.source,
    }


_FAULTS = "/sandboxes/{sandbox}/faults"

ROWS = (
    AdminOperation(
        id="ListNamedFaults",
        method="GET",
        path="/faults",
        summary="List the named faults",
        handler=list_names,
        returns=shapes.NamedFaultList,
    ),
    AdminOperation(
        id="ListFaults",
        method="GET",
        path=_FAULTS,
        summary="List the fault rules of a sandbox, and how often each was used",
        handler=list_faults,
        returns=shapes.FaultLedger,
    ),
    AdminOperation(
        id="ArmFaults",
        method="POST",
        path=_FAULTS,
        summary="Arm the fault rules of a plan, all or none",
        handler=arm_faults,
        accepts=shapes.FaultPlan,
        returns=shapes.FaultLedger,
        status=201,
    ),
    AdminOperation(
        id="ClearFaults",
        method="DELETE",
        path=_FAULTS,
        summary="Remove all fault rules of a sandbox",
        handler=clear_faults,
        status=204,
    ),
    AdminOperation(
        id="GetFault",
        method="GET",
        path=f"{_FAULTS}/{{fault}}",
        summary="Get a fault rule",
        handler=get_fault,
        returns=shapes.FaultFacts,
    ),
    AdminOperation(
        id="RemoveFault",
        method="DELETE",
        path=f"{_FAULTS}/{{fault}}",
        summary="Remove a fault rule",
        handler=remove_fault,
        status=204,
    ),
)
