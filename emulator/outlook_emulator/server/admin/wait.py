"""The admin operation that waits until matching items arrive, and reports the nearest misses if they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from outlook_emulator.errors import InvalidRequest, NothingCame, ServerStops
from outlook_emulator.options import options_of
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.admin.wait_position import position
from outlook_emulator.server.admin.wait_watch import NearMiss, Watcher
from outlook_emulator.server.schemas import parse
from outlook_emulator.server.slices import in_slices
from outlook_emulator.traffic.wait_conditions import MOST, WaitConditions, conditions_of


async def wait(request: AdminRequest) -> shapes.Waited:
    sandbox, order = request.sandbox, request.body
    seconds = _check(order)
    if sandbox.traffic.is_stopping:
        raise ServerStops()
    clock = asyncio.get_running_loop().time
    start = clock()
    watcher = _watcher(sandbox)
    misses: list[NearMiss] = []
    after = 0
    if "newerThan" in order:
        after = await in_slices(position(sandbox, order["kind"], order["newerThan"]), sandbox)
    with watcher.watching(order, after) as watch:
        # Whole, however long it takes: all that is there counts.
        await watcher.read_all(watch)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(start + seconds):
                await watcher.wait(watch)
        if not watch.is_met:
            misses = await watcher.near_misses(watch)
        watcher.check(watch)
    show, connection = watcher.reader.show, order.get("connection")
    if not watch.is_met:
        near = [cast(shapes.NearMiss, {**show(match, connection), "differs": differs}) for match, differs in misses]
        raise _timed_out(len(watch.matches), order["count"], seconds, near)
    matches = sorted(watch.matches.values(), key=lambda match: match.order)
    return {"value": [show(match, connection) for match in matches[-MOST:]], "waitedSeconds": round(clock() - start, 3)}


def _watcher(sandbox: Sandbox) -> Watcher:
    """The watcher of a sandbox, which all its waits share."""
    watcher = sandbox.traffic.observer
    if not isinstance(watcher, Watcher):
        watcher = sandbox.traffic.observer = Watcher(sandbox)
    return watcher


def _timed_out(came: int, count: int, seconds: float, misses: list[shapes.NearMiss]) -> NothingCame:
    text = f"{came} of {count} came in {seconds:g} seconds."
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
