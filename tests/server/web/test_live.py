"""The event stream of a sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.sandbox.sandbox import Sandbox as LocalSandbox
from outlook_emulator.server.web import live
from outlook_emulator.serving import running
from tests.conftest import Connection, Sandbox


def test_a_request_is_told(alice: Connection) -> None:
    """A stream tells of each request of its sandbox, also of one that fails, and of a change by the admin API."""
    http = alice.sandbox.server.http
    changes: list[Callable[[], object]] = [
        lambda: alice.http.get("/v2/Mail"),
        lambda: alice.http.get("/v2/Mail", params={"top": "many"}),
        lambda: alice.sandbox.api.post("/clock", json={"advance": "1s"}),
    ]
    with http.stream("GET", f"/_emulator/s/{alice.sandbox.name}/live", timeout=10) as stream:
        lines = stream.iter_lines()
        assert "event: changed" == next(lines)
        for change in changes:
            change()
            assert "event: changed" in (next(lines), next(lines), next(lines))


def test_unknown_sandbox(sandbox: Sandbox) -> None:
    """A sandbox that does not exist has no stream."""
    assert 404 == sandbox.server.http.get("/_emulator/s/none-of-that-name/live").status_code


def test_stream_ends_with_the_sandbox(sandbox: Sandbox) -> None:
    """The stream of a sandbox ends when it is deleted."""
    http, name = sandbox.server.http, f"{sandbox.name}-brief"
    http.post("/_emulator/api/sandboxes", json={"name": name}).raise_for_status()
    with http.stream("GET", f"/_emulator/s/{name}/live", timeout=10) as stream:
        lines = stream.iter_lines()
        next(lines)
        http.delete(f"/_emulator/api/sandboxes/{name}").raise_for_status()
        assert "event: changed" in list(lines)


def test_stream_ends_with_the_server() -> None:
    """A server that stops ends its streams by itself, rather than cutting them off after a while."""
    with httpx.Client(trust_env=False) as http:
        with running() as server:
            stream = http.send(http.build_request("GET", f"{server.url}/_emulator/s/default/live"), stream=True)
            lines = stream.iter_lines()
            next(lines)
        # A stream that is cut off would raise an error here.
        assert "" == list(lines)[-1]


@pytest.fixture
def local() -> LocalSandbox:
    sandbox: LocalSandbox = create_app().state.sandboxes.default
    return sandbox


def test_changes_in_a_burst_are_told_once(local: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes in quick succession become two events at most, and nobody follows once the stream has ended."""
    monkeypatch.setattr(live, "_HEARTBEAT", 0.01)
    monkeypatch.setattr(live, "_PAUSE", 0.05)

    async def follow() -> list[bytes]:
        events = live.changes_of(local)
        first = await anext(events)
        for _ in range(100):
            local.traffic.changed()
        later = [await anext(events) for _ in range(3)]
        assert 1 == len(local.traffic.followers)
        await events.aclose()  # type: ignore[attr-defined]
        return [first, *later]

    first, second, *others = asyncio.run(follow())

    assert first == second
    assert b": still here\n\n" in others
    assert [] == local.traffic.followers
