"""The page about the clock of a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.server.webhooks import push_triggers
from outlook_emulator.store import triggers
from outlook_emulator.traffic.faults import Rule
from outlook_emulator.traffic.secrets import redacted

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
    now = sandbox.clock.now()
    work = [
        *(DueWork(wait.until, "A delayed request goes on", _cause(wait.cause)) for wait in sandbox.traffic.waits.all()),
        *(
            DueWork(callback.due, "A callback is sent", f"{callback.kind} to {redacted(callback.url)}")
            for callback in triggers.callbacks(sandbox.db)
            if callback.state == "pending"
        ),
        *(
            DueWork(
                subscription.expires, "A subscription ends", f"{subscription.watched} for {redacted(subscription.url)}"
            )
            for subscription in triggers.live_subscriptions(sandbox.db, now)
        ),
        *(
            DueWork(at, "A push trigger gets an item", f"{trigger.operation} for {redacted(trigger.url)}")
            for at, trigger in push_triggers.upcoming(sandbox.db, lambda id: sandbox.mailbox(owner_of(sandbox.db, id)))
        ),
        *_fault_windows(sandbox.traffic.faults.rules(), now),
    ]
    return {"clock": await request.admin("GetClock"), "due": sorted(work)[:_MOST_DUE], "steps": _STEPS}


def _fault_windows(rules: list[Rule], now: int) -> Iterator[DueWork]:
    """When rules that act for a time begin and end."""
    for rule in rules:
        for at, what in ((rule.when.since, "A fault begins to act"), (rule.when.until, "A fault stops acting")):
            if at is not None and at > now:
                yield DueWork(at, what, rule.name)


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
