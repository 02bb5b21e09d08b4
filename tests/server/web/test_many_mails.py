"""The list of a folder with 100,000 mails is quick on every page."""

from __future__ import annotations

import asyncio
from time import process_time

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import Database
from tests.conftest import START

pytestmark = pytest.mark.slow

COUNT = 100_000
MOST = 0.2
"""The processor time that a page may take, in seconds."""
_COPIES = """INSERT INTO message (mailbox_id, folder_id, content_id, received, is_read, is_flagged, importance,
 has_attachments) WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
 SELECT mailbox_id, folder_id, content_id, received + n / :at_once, n % 1000 > 0, 0, 1, 0
 FROM message, number WHERE id = :id"""


@pytest.fixture(params=[1, COUNT], ids=["at different instants", "at the same instant"])
def app(request: pytest.FixtureRequest) -> Starlette:
    """An inbox that was filled at different instants, or all at one, as with a clock that stands still."""
    app = create_app(Settings(), VirtualClock(START))
    sandbox = app.state.sandboxes.default
    mailbox = sandbox.mailbox(sandbox.connect("alice", "alice@example.com"))
    db: Database = sandbox.db
    with db.transaction():
        id = delivery.deliver(mailbox, Mail(sender=Address("a@example.org"), subject="Many", body="words " * 100))
        db.execute(_COPIES, {"count": COUNT - 1, "at_once": request.param, "id": id})
    return app


def timed(app: Starlette, query: dict[str, str]) -> tuple[httpx.Response, float]:
    """A page of the list, and the processor time that it took."""

    async def get() -> tuple[httpx.Response, float]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            # The first page of a process reads the templates.
            await http.get("/_emulator/s/default/m/alice/mail/deliver")
            started = process_time()
            response = await http.get("/_emulator/s/default/m/alice/mail", params=query)
            return response, process_time() - started

    return asyncio.run(get())


@pytest.mark.parametrize("query", [{}, {"unread": "1"}, {"before": "middle"}, {"since": "2026-03-02"}])
def test_a_page_is_quick(app: Starlette, query: dict[str, str]) -> None:
    """A page takes less than 200 ms of processor time: the first one, one in the middle, and filtered ones."""
    if query.get("before"):
        db: Database = app.state.sandboxes.default.db
        statement = "SELECT received, id FROM message ORDER BY received DESC, id DESC LIMIT 1 OFFSET 50000"
        query = {"before": "{}-{}".format(*db.one(statement, {}))}
    response, took = timed(app, query)

    assert 50 == response.text.count('<tr id="mail-')
    assert took < MOST
