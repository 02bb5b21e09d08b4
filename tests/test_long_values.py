"""Long, awkward texts: none is an error of the emulator, and none holds the event loop."""

from __future__ import annotations

import asyncio
from itertools import cycle
from random import Random

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Scope
from tests.long_values import LONGEST, TEXTS, LongValues, Outcome, Place, places


def test_long_values() -> None:
    """Each kind of text in a few places, always the same ones; the script tries all."""
    some = Random(7).sample([*places()], 120)

    async def run() -> list[tuple[Place, str, Outcome]]:
        values = LongValues()
        return [(place, text, await values.send(place, text)) for place, text in zip(some, cycle(TEXTS), strict=False)]

    for place, text, outcome in asyncio.run(run()):
        assert not outcome.is_defect, (place, text)
        assert outcome.seconds < LONGEST, (place, text)


def test_all_texts_are_tried() -> None:
    """There are places in every operation that takes a text, in parameters and bodies."""
    tried = {place.operation for place in places()}
    takers = {row.id for row in OPERATIONS if row.scope is Scope.CONNECTION and (row.parameters or row.accepts)}

    assert takers <= tried
    assert {"To", "ResourceAttendees", "EmailAddresses"} <= {place.path[0] for place in places() if place.path}
