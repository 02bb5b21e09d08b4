"""Sandboxes in memory that nobody uses are packed, and serve requests as before."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.rest_upkeep import RestUpkeep
from outlook_emulator.serving import running
from outlook_emulator.store import serialization

_COUNT = 40


def resting(sandboxes: Sandboxes) -> int:
    """How many sandboxes rest."""
    return sum(sandbox.db.is_resting for sandbox in sandboxes.opened())


def test_packed_sandboxes_serve_requests() -> None:
    """Of many new sandboxes few are awake. Each keeps its mails, in whichever order they are used."""
    with (
        running() as served,
        httpx.Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False) as http,
    ):
        sandboxes: Sandboxes = served.app.state.sandboxes
        for number in range(_COUNT):
            order = {"name": f"s{number}", "connections": [{"id": f"c{number}"}]}
            assert http.post("/_emulator/api/sandboxes", json=order).status_code == 201
        assert resting(sandboxes) > _COUNT / 2
        for number in range(_COUNT):
            mail = {"To": f"c{number}@outlook.com", "Subject": f"Number {number}", "Body": "Hello"}
            assert http.post(f"/apim/outlook/c{number}/v2/Mail", json=mail).status_code == 200
        assert resting(sandboxes) > 0
        for number in reversed(range(_COUNT)):
            mails = http.get(f"/apim/outlook/c{number}/v2/Mail").json()["value"]
            assert [f"Number {number}"] == [mail["Subject"] for mail in mails]


def test_unused_sandboxes_are_packed_in_the_second_round() -> None:
    """A round takes a step for each sandbox that it packs; used ones are packed a round later, but for a few."""
    sandboxes: Sandboxes = create_app().state.sandboxes
    upkeep = RestUpkeep(sandboxes)
    for number in range(_COUNT):
        sandboxes.create(f"s{number}")
        sandboxes.named(f"s{number}")
    # The default sandbox, which was not used.
    assert 1 == resting(sandboxes)

    async def run() -> None:
        upkeep.step()
        assert 1 == resting(sandboxes)
        sandboxes.named("s0")
        upkeep.step()
        assert 2 == resting(sandboxes)
        for _ in range(_COUNT):
            upkeep.step()
        upkeep.close()

    asyncio.run(run())
    awake = [sandbox.name for sandbox in sandboxes.opened() if not sandbox.db.is_resting]
    assert ("s0" in awake, 16) == (True, len(awake))
    sandboxes.close()


def test_a_sandbox_that_was_large_is_packed_after_a_reset() -> None:
    """A sandbox with many mails stays awake; when a reset has emptied it, it is packed as others are."""
    with (
        running() as served,
        httpx.Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False) as http,
    ):
        for name in ("big", *(f"s{number}" for number in range(_COUNT))):
            order = {"name": name, "connections": [{"id": name}]}
            http.post("/_emulator/api/sandboxes", json=order).raise_for_status()
        mail = {"To": "big@outlook.com", "Subject": "Large", "Body": "x" * 2_000_000}
        http.post("/apim/outlook/big/v2/Mail", json=mail).raise_for_status()
        for number in range(_COUNT):
            http.get(f"/apim/outlook/s{number}/v2/Mail").raise_for_status()
        sandboxes: Sandboxes = served.app.state.sandboxes
        db = sandboxes.named("big").db
        rested = []
        for path in ("connections", "reset"):
            http.request("GET" if path == "connections" else "POST", f"/_emulator/api/sandboxes/big/{path}")
            for _ in range(3):
                list(sandboxes.rest_unused())
            rested.append(db.is_resting)
        after = http.get("/apim/outlook/big/v2/Mail").json()["value"]

    assert ([False, True], []) == (rested, after)


def test_packing_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A sandbox that cannot be packed is reported, and the next round packs what it can."""
    sandboxes: Sandboxes = create_app().state.sandboxes
    upkeep = RestUpkeep(sandboxes)
    for number in range(_COUNT):
        sandboxes.create(f"s{number}")
        sandboxes.named(f"s{number}")
    before = resting(sandboxes)

    async def run() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(serialization, "compress", lambda *arguments: 1 // 0)
            for _ in range(_COUNT):
                upkeep.step()
        assert before == resting(sandboxes)
        for _ in range(2 * _COUNT):
            upkeep.step()
        upkeep.close()

    asyncio.run(run())
    assert resting(sandboxes) > before
    assert "could not be packed" in caplog.text
