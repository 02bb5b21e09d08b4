"""The app of a server process serves the connector at once, and everything else when it is imported."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from typing import Any

import pytest
from starlette.types import ASGIApp

from outlook_emulator import early_app
from outlook_emulator.early_app import EarlyApp
from outlook_emulator.parts import Parts
from outlook_emulator.settings import Settings
from tests.loop_lag import ADMIN, Answer, Caller
from tests.paths import ROOT

_ATTEMPTS = 10


def app_of(**settings: Any) -> EarlyApp:
    return EarlyApp(Parts(Settings(**settings)))


def test_requests_wait_for_the_rest() -> None:
    """Requests for the health check and the admin API that come first wait, several at once, and succeed."""

    async def run() -> list[int]:
        app = app_of()
        caller = Caller(app)
        paths = ("/readyz", f"{ADMIN}/sandboxes", "/_emulator/", "/nothing")
        answers = await asyncio.gather(*(caller.send("GET", path) for path in paths))
        app.state.sandboxes.close()
        return [answer.status for answer in answers]

    assert [200, 200, 200, 404] == asyncio.run(run())


def test_a_request_that_is_cancelled_stops_no_other() -> None:
    async def run() -> int:
        app = app_of()
        caller = Caller(app)
        leaving = asyncio.create_task(caller.send("GET", "/readyz"))
        staying = asyncio.create_task(caller.send("GET", "/readyz"))
        await asyncio.sleep(0)
        leaving.cancel()
        answer = await staying
        app.state.sandboxes.close()
        return answer.status

    assert 200 == asyncio.run(run())


def test_the_connector_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to the connector imports nothing else."""
    monkeypatch.delattr(early_app, "_app_behind")

    async def run() -> int:
        app = app_of()
        answer = await Caller(app).send("GET", "/apim/outlook/me/v2/Mail")
        app.state.sandboxes.close()
        return answer.status

    assert 200 == asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (OSError(errno.EMFILE, "Too many open files", "routes.py"), 503, "Too many open files: routes.py"),
        (ImportError("no module"), 500, "The emulator failed on this request"),
    ],
)
def test_an_import_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, status: int, text: str
) -> None:
    """Requests that need it get an error with the reason, others are served, and the next request tries again."""
    import_app = early_app._app_behind
    errors = [error]

    def fail_once(parts: Parts) -> ASGIApp:
        if errors:
            raise errors.pop()
        return import_app(parts)

    monkeypatch.setattr(early_app, "_app_behind", fail_once)

    async def run() -> list[Answer]:
        app = app_of()
        caller = Caller(app)
        first = await asyncio.gather(*(caller.send("GET", path) for path in ("/readyz", f"{ADMIN}/sandboxes")))
        others = [await caller.send("GET", path) for path in ("/apim/outlook/me/v2/Mail", "/readyz")]
        app.state.sandboxes.close()
        return [*first, *others]

    answers = asyncio.run(run())

    assert [status, status, 200, 200] == [answer.status for answer in answers]
    assert text in answers[0].json["message"]
    assert str(error.args[-1]) in caplog.text


def test_an_app_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error at the start or at the end of the app goes to the server, as the lifespan protocol says."""
    monkeypatch.setattr("outlook_emulator.server.rest_upkeep.RestUpkeep.start", lambda upkeep: 1 / 0)
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    app = app_of()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(app({"type": "lifespan"}, receive, send))
    app.state.sandboxes.close()

    assert ["lifespan.startup.failed"] == [message["type"] for message in sent]
    assert "ZeroDivisionError" in sent[0]["message"]


def test_the_first_requests_hold_nobody() -> None:
    """The imports behind the first requests do not hold the event loop of a new process."""
    code = """
import asyncio
from outlook_emulator.early_app import EarlyApp
from outlook_emulator.parts import Parts
from outlook_emulator.settings import Settings
from tests.loop_lag import Caller, Heartbeat

async def run():
    caller = Caller(EarlyApp(Parts(Settings())))
    async with Heartbeat() as heartbeat:
        await caller.send("GET", "/apim/outlook/me/v2/Mail")
        await caller.send("GET", "/readyz")
    return heartbeat.longest

print(asyncio.run(run()) < 0.050)
"""

    def holds_nobody() -> bool:
        command = [sys.executable, "-c", code]
        return "True\n" == subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    # A busy machine may let the thread of the loop wait while a worker thread works on.
    assert any(holds_nobody() for _ in range(_ATTEMPTS))
