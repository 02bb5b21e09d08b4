"""The admin operations that read, move, freeze and release the clock of a sandbox."""

from __future__ import annotations

from outlook_emulator.clock import SandboxClock, moment
from outlook_emulator.errors import Conflict, InvalidRequest
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.times import read_duration, read_instant


def get_clock(request: AdminRequest) -> shapes.ClockFacts:
    return _facts(request.sandbox.clock)


async def change_clock(request: AdminRequest) -> shapes.ClockFacts:
    change: shapes.ClockOrder = request.body
    sandbox = request.sandbox
    clock = sandbox.clock
    if not change:
        raise InvalidRequest("The request needs 'freeze', 'set' or 'advance'.")
    # The clock is held so that it does not pass the requested instant while the request is checked.
    with clock.held():
        to = _target(clock, change)
        if to is not None:
            await sandbox.move_clock(to)
        if "freeze" in change:
            (clock.freeze if change["freeze"] else clock.follow)()
        return _facts(clock)


def start_clock(clock: SandboxClock, order: shapes.ClockStart) -> None:
    """Set the clock of a new sandbox. Raises InvalidRequest."""
    # The clock is held so that it does not move between the two steps.
    with clock.held():
        if "set" in order:
            try:
                clock.start(read_instant(order["set"], "clock.set"))
            except ValueError as error:
                raise InvalidRequest(f"The clock cannot start at this time: {error}.") from None
        if order.get("freeze"):
            clock.freeze()


def _target(clock: SandboxClock, order: shapes.ClockOrder) -> int | None:
    """The instant to move to, None without one. Raises InvalidRequest, and Conflict for an instant in the past."""
    if "set" in order and "advance" in order:
        raise InvalidRequest("'set' and 'advance' cannot be combined.")
    if "set" in order:
        to = read_instant(order["set"], "set")
    elif "advance" in order:
        to = clock.now() + read_duration(order["advance"], "advance")
    else:
        return None
    try:
        clock.check(to)
    except ValueError as error:
        error_type = Conflict if to < clock.now() else InvalidRequest
        raise error_type(f"The clock was not moved: {error}.") from None
    return to


def _facts(clock: SandboxClock) -> shapes.ClockFacts:
    now, shift = clock.now(), clock.shift
    mode = "frozen" if clock.frozen else "shifted" if shift else "following"
    return {"now": moment(now).isoformat(), "mode": mode, "shiftSeconds": shift / 1_000_000}


_S = "/sandboxes/{sandbox}"

ROWS = (
    AdminOperation(
        id="GetClock",
        method="GET",
        path=f"{_S}/clock",
        summary="Get the time and mode of a sandbox's clock",
        handler=get_clock,
        returns=shapes.ClockFacts,
    ),
    AdminOperation(
        id="ChangeClock",
        method="POST",
        path=f"{_S}/clock",
        summary="Move, freeze or release the clock of a sandbox; work that falls due during the move runs in order",
        handler=change_clock,
        accepts=shapes.ClockOrder,
        returns=shapes.ClockFacts,
    ),
)
