"""The page about the clock of a sandbox."""

from __future__ import annotations

from typing import Any, NamedTuple

from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.store import triggers

_STEPS = ("1m", "15m", "1h", "1d")
"""The steps that a button advances the clock by."""
_MOST_DUE = 50


class DueWork(NamedTuple):
    """Something that happens at an instant of the sandbox's clock."""

    at: int
    what: str
    about: str


async def load_clock(request: PageRequest) -> dict[str, Any]:
    sandbox = request.sandbox
    work = [
        *(DueWork(wait.until, "A delayed request goes on", _cause(wait.cause)) for wait in sandbox.traffic.waits.all()),
        *(
            DueWork(callback.due, "A callback is sent", f"{callback.kind} to {callback.url}")
            for callback in triggers.callbacks(sandbox.db)
            if callback.state == "pending"
        ),
        *(
            DueWork(subscription.expires, "A subscription ends", f"{subscription.watched} for {subscription.url}")
            for subscription in triggers.live_subscriptions(sandbox.db, sandbox.clock.now())
        ),
    ]
    return {"clock": await request.admin("GetClock"), "due": sorted(work)[:_MOST_DUE], "steps": _STEPS}


def _cause(cause: object) -> str:
    name = getattr(cause, "name", "")
    return f"fault {name}" if name else ""


async def advance(request: PageRequest) -> None:
    await request.admin("ChangeClock", {"advance": request.form.text("by")})


async def move(request: PageRequest) -> None:
    await request.admin("ChangeClock", {"set": request.form.text("to")})


async def freeze(request: PageRequest) -> None:
    await request.admin("ChangeClock", {"freeze": True})


async def follow(request: PageRequest) -> None:
    await request.admin("ChangeClock", {"freeze": False})


PAGES = (
    Page(
        path="/s/{sandbox}/clock",
        title="Clock",
        template="clock.html",
        nav="Clock",
        load=load_clock,
        actions={"advance": advance, "set": move, "freeze": freeze, "follow": follow},
    ),
)
