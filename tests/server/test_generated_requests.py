"""Generated requests over HTTP to a server whose state grows: no server error, and no traceback in its log."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.generated_requests import Run, go_on, places, served

pytestmark = pytest.mark.slow


def test_generated_requests(tmp_path: Path) -> None:
    """A few operations, always the same ones; the script tries all of them for as long as you like."""
    some = Random(3).sample(places(), 12)
    with served("--data", str(tmp_path)) as server:
        run = Run(server, Random(3))
        run.grow()
        for number, place in enumerate(some):
            go_on(run, place, number, examples=2)
        run.grow()

    assert [] == run.failures
    assert [] == [name for name, sent in run.sent.items() if not any(200 <= status < 300 for status in sent)]
    assert run.count > 30
