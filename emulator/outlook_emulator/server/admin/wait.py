"""The admin operation that waits until matching items arrive, and reports the nearest misses if they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from outlook_emulator.errors import InvalidRequest, NothingCame, ServerStops
from outlook_emulator.options import options_of
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.admin.wait_watch import Watch
from outlook_emulator.server.schemas import parse
from outlook_emulator.traffic.wait_conditions import WaitConditions, conditions_of


async def wait(request: AdminRequest) -> shapes.Waited:
    sandbox, order = request.sandbox, request.body
    seconds = _check(order)
    clock = asyncio.get_running_loop().time
    start = clock()
    deadline = start + seconds
    with request.webhooks.write_signal(sandbox) as signal:
        watch = Watch(sandbox, order)
        while True:
            signal.clear()
            await watch.update()
            is_late = clock() >= deadline
            if is_late or watch.count() >= order["count"]:
                break
            if request.webhooks.is_stopping:
                raise ServerStops()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await signal.wait()
    if watch.count() < order["count"]:
        raise _timed_out(watch, order["count"], seconds)
    return {"value": watch.matches(), "waitedSeconds": round(clock() - start, 3)}


def _timed_out(watch: Watch, count: int, seconds: float) -> NothingCame:
    misses = watch.near_misses()
    text = f"{watch.count()} of {count} came in {seconds:g} seconds."
    if misses:
        text += f" The nearest miss differs in: {', '.join(misses[0]['differs'])}."
    return NothingCame(text, misses)


def _check(order: Mapping[str, Any]) -> float:
    """The longest duration of a wait, in seconds. Raises InvalidRequest for conditions that are not valid."""
    conditions = parse(WaitConditions, order)
    applicable = {option.member for option in conditions_of(conditions.kind)}
    for option in options_of(WaitConditions):
        if option.member in order and option.member not in applicable:
            raise InvalidRequest(f"'{option.member}' does not apply to the kind '{conditions.kind}'.")
    return conditions.timeout_seconds


ROWS = (
    AdminOperation(
        id="Wait",
        method="POST",
        path="/sandboxes/{sandbox}/wait",
        summary="Wait for a mail, an event, a callback or a poke; status 408 comes with the nearest misses",
        handler=wait,
        accepts=shapes.WaitOrder,
        returns=shapes.Waited,
    ),
)
