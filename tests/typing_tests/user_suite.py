"""A test file of a user, checked by a strict type checker; pytest does not run it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import httpx
import pytest

import outlook_emulator
from outlook_emulator import Settings, VirtualClock
from outlook_emulator.testing import (
    AdminError,
    Callbacks,
    Clock,
    Connection,
    Faults,
    Journal,
    MakeOutlook,
    Outbox,
    OutlookAnswer,
    Sandbox,
    Server,
    Snapshots,
)


@pytest.fixture(scope="session")
def outlook_settings() -> Settings:
    return Settings(max_top=7, authorization="secret")


@pytest.mark.outlook(seed="office", faults=["throttled"], clock="2026-03-02T09:00:00Z", unused_faults="allow")
def test_fixtures(
    outlook: Connection,
    outlook_app: Connection,
    outlook_server: Server,
    make_outlook: MakeOutlook,
    outlook_clock: Clock,
    outlook_faults: Faults,
    outlook_outbox: Outbox,
    outlook_callbacks: Callbacks,
    outlook_journal: Journal,
    outlook_answer: OutlookAnswer,
) -> None:
    assert_type(outlook.sandbox, Sandbox)
    assert_type(outlook.http, httpx.Client)
    assert_type(outlook.sandbox.snapshots, Snapshots)
    assert_type(make_outlook("bob", send_as=["ada@example.com"]), Connection)
    assert_type(outlook_clock.advance(timedelta(hours=1)), datetime)
    assert_type(outlook_answer("Approve", subject="Budget"), dict[str, Any])
    assert_type(outlook_outbox.mails(recipient="out@example.net"), list[dict[str, Any]])
    assert_type(outlook_outbox.attachment({}, "a.txt"), bytes)
    assert_type(outlook_callbacks.wait(url="http://localhost/x", timeout=1), list[dict[str, Any]])
    assert_type(outlook_server.sandbox("mine"), Sandbox)
    outlook.deliver(Path("mail.eml"), folder="Inbox")
    outlook_faults.add("timeout-504-after", operation="SendEmailV2", nth=2)
    outlook_journal.assert_called(operation="SendEmailV2", times=1)
    outlook.sandbox.wait(kind="mail", subject="Hello", timeout=1)


async def test_clients(outlook: Connection) -> None:
    async with outlook.async_http() as http:
        assert_type(http, httpx.AsyncClient)


def test_without_fixtures() -> None:
    with outlook_emulator.running() as emulator, Server(emulator.url) as server, pytest.raises(AdminError) as caught:
        server.connect(seed="none")
    assert_type(caught.value.status, int)
    assert_type(outlook_emulator.__version__, str)
    with Server.in_process(Settings(), VirtualClock(datetime(2026, 3, 2))) as server:
        assert_type(server.connect("ada").mails(), list[dict[str, Any]])
