"""An unexpected error leads to a look at the files that the request can have read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.loop_lag import Caller

API = "/_emulator/api/sandboxes"


def test_files_that_are_closed_stay_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request about no sandbox that fails does not open the files of all sandboxes."""
    app = create_app(Settings(data=str(tmp_path)))
    with running(app=app) as server, httpx.Client(base_url=server.url, trust_env=False) as http:
        for name in ("a", "b"):
            http.post(API, json={"name": name}).raise_for_status()
        monkeypatch.setattr(Sandboxes, "ids_of", lambda registry, name: 1 / 0)
        databases = [sandbox.db for sandbox in app.state.sandboxes.opened()]
        rested = [db.rest() for db in databases]
        status = http.get(API).status_code

        assert (500, [True] * 3) == (status, rested)
        assert [True] * 3 == [db.is_resting for db in databases]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"{API}/a/snapshots/one"),
        ("POST", f"{API}/a/reset"),
        ("GET", "/apim/outlook/a-1/v2/Mail?top=900"),
        ("GET", "/_emulator/s/a/"),
    ],
)
def test_a_sandbox_that_is_deleted_meanwhile(method: str, path: str) -> None:
    """A request that waits for its turn finds the sandbox deleted, and says so."""

    async def run() -> None:
        app = create_app(Settings(unknown_connections="refuse"))
        caller = Caller(app)
        await caller.json("POST", API, {"name": "a", "connections": [{"id": "a-1"}]})
        turn = app.state.sandboxes.named("a").turn
        turn.take()
        waiting = asyncio.create_task(caller.send(method, path))
        while not turn._waiting:
            await asyncio.sleep(0)
        app.state.sandboxes.delete("a")
        turn.give_back()
        answer = await waiting
        app.state.sandboxes.close()

        assert answer.status in (404, 409)

    asyncio.run(run())
