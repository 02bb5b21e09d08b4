"""The admin API's verbs about time: what a sandbox's clock shows, and how it is moved, frozen and released."""

from __future__ import annotations

from outlook_emulator.clock import SandboxClock, moment
from outlook_emulator.errors import Conflict, InvalidRequest
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.times import read_duration, read_instant


def get_clock(request: AdminRequest) -> shapes.ClockFacts:
    return _facts(request.sandbox.clock)


async def change_clock(request: AdminRequest) -> shapes.ClockFacts:
    order: shapes.ClockOrder = request.body
    sandbox = request.sandbox
    clock = sandbox.clock
    if not order:
        raise InvalidRequest("Nothing is asked of the clock: give 'freeze', 'set' or 'advance'.")
    # Held, so that the clock does not pass the instant that is asked for while the order is looked at.
    with clock.held():
        to = _target(clock, order)
        if to is not None:
            await sandbox.move_clock(to)
        if "freeze" in order:
            (clock.freeze if order["freeze"] else clock.follow)()
        return _facts(clock)


def start_clock(clock: SandboxClock, order: shapes.ClockStart) -> None:
    """Put the clock of a sandbox that was just made where it is to start. Raises InvalidRequest."""
    # Held, so that a clock that is to stand has not gone on by then.
    with clock.held():
        if "set" in order:
            try:
                clock.start(read_instant(order["set"], "clock.set"))
            except ValueError as error:
                raise InvalidRequest(f"The clock cannot start there: {error}.") from None
        if order.get("freeze"):
            clock.freeze()


def _target(clock: SandboxClock, order: shapes.ClockOrder) -> int | None:
    """The instant to move to, None for none. Raises InvalidRequest, and Conflict for an instant in the past."""
    if "set" in order and "advance" in order:
        raise InvalidRequest("A clock is either moved to an instant, 'set', or by a duration, 'advance'.")
    if "set" in order:
        to = read_instant(order["set"], "set")
    elif "advance" in order:
        to = clock.now() + read_duration(order["advance"], "advance")
    else:
        return None
    try:
        clock.check(to)
    except ValueError as error:
        refusal = Conflict if to < clock.now() else InvalidRequest
        raise refusal(f"The clock stays where it is: {error}.") from None
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
        summary="Show what time it is in a sandbox",
        handler=get_clock,
        returns=shapes.ClockFacts,
    ),
    AdminOperation(
        id="ChangeClock",
        method="POST",
        path=f"{_S}/clock",
        summary="Move, freeze or release the clock of a sandbox; what falls due on the way happens at its time",
        handler=change_clock,
        accepts=shapes.ClockOrder,
        returns=shapes.ClockFacts,
    ),
)
