"""The search for news in slices: nothing is missed or sent twice, whatever happens during a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.enums import Watched
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.mailbox.triggers import subscriptions
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.webhooks import news_search, push_triggers
from outlook_emulator.server.webhooks.delivery import CallbackDelivery
from outlook_emulator.server.webhooks.news_search import NewsSearch
from outlook_emulator.settings import Settings
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.records import PushTrigger
from tests.conftest import START

URL = "http://127.0.0.1:9"
MANY = 120
"""More mails than two batches of a trigger hold."""


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # A pause after each step.
    monkeypatch.setattr(news_search, "SLICE", 0)
    sandboxes = Sandboxes(Settings(), VirtualClock(START))
    yield sandboxes.default
    sandboxes.close()


@pytest.fixture
def mailbox(sandbox: Sandbox) -> Mailbox:
    mailbox = sandbox.mailbox(sandbox.connect("carol", "carol@example.com"))
    register(mailbox)
    return mailbox


def register(mailbox: Mailbox) -> None:
    trigger = PushTrigger("carol", "news", mailbox.owner.id, "OnNewEmailV2", URL, "{}", 1, "", 0)
    push_triggers.register(mailbox, trigger)


def deliver(mailbox: Mailbox, *subjects: str) -> None:
    for subject in subjects:
        with mailbox.db.transaction():
            delivery.deliver(mailbox, Mail(subject=subject))


def pushed(sandbox: Sandbox) -> list[str]:
    # A poke has no body.
    bodies = [callback.body for callback in trigger_store.callbacks(sandbox.db) if callback.body]
    return [orjson.loads(body)["body"]["Subject"] for body in bodies]


def run(search: NewsSearch, sandbox: Sandbox, until: int) -> None:
    """Run a search until it ends, or so many mails are pushed."""
    search.run()
    while search.is_under_way and len(pushed(sandbox)) < until:
        search.run()


def test_what_comes_during_a_pause(sandbox: Sandbox, mailbox: Mailbox) -> None:
    search = NewsSearch(sandbox, lambda: None)
    run(search, sandbox, 1)
    assert not search.is_under_way
    subjects = [str(number) for number in range(MANY)]
    deliver(mailbox, *subjects)
    run(search, sandbox, 1)
    assert search.is_under_way
    assert len(pushed(sandbox)) == 50
    deliver(mailbox, "late")
    run(search, sandbox, 2 * MANY)

    assert [*subjects, "late"] == pushed(sandbox)
    assert not search.has_news


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_trigger_that_is_deleted_during_a_pause(sandbox: Sandbox, mailbox: Mailbox, comes_back: bool) -> None:
    """It pushes nothing more; one that takes its name begins with what comes then."""
    search = NewsSearch(sandbox, lambda: None)
    deliver(mailbox, *map(str, range(MANY)))
    run(search, sandbox, 1)
    (trigger,) = trigger_store.push_triggers(sandbox.db)
    push_triggers.delete(sandbox.db, trigger)
    if comes_back:
        register(mailbox)
        deliver(mailbox, "late")
    run(search, sandbox, 2 * MANY)

    assert (["late"] if comes_back else []) == pushed(sandbox)[50:]


def test_a_reset_during_a_pause(sandbox: Sandbox, mailbox: Mailbox) -> None:
    search = NewsSearch(sandbox, lambda: None)
    deliver(mailbox, *map(str, range(MANY)))
    run(search, sandbox, 1)
    with sandbox.db.transaction():
        sandbox.db.clear()
    run(search, sandbox, 1)

    assert not search.is_under_way
    assert [] == pushed(sandbox)


def subscribe(mailbox: Mailbox) -> str:
    return subscriptions.watch_mail(
        mailbox,
        URL,
        watched=Watched.FLAG,
        folder_path=None,
        importance="Any",
        fetch_only_with_attachment=False,
        write_options=lambda watch: "{}",
    ).id


def test_subscriptions_that_come_and_go_during_a_pause(sandbox: Sandbox) -> None:
    """One that was dropped gets no poke, and none is poked for what was there before it."""
    mailbox = sandbox.mailbox(sandbox.connect("carol", "carol@example.com"))
    search = NewsSearch(sandbox, lambda: None)
    dropped, kept = subscribe(mailbox), subscribe(mailbox)
    deliver(mailbox, "One")
    with mailbox.db.transaction():
        delivery.deliver(mailbox, Mail(subject="Two"), is_flagged=True)
    search.run()
    assert search.is_under_way
    deliver(mailbox, "Three")
    new, latest = subscribe(mailbox), changes.newest(sandbox.db)
    trigger_store.delete_subscription(sandbox.db, dropped)
    run(search, sandbox, MANY)

    pokes = [callback.reference for callback in trigger_store.callbacks(sandbox.db)]
    assert [kept] == pokes
    assert latest == trigger_store.subscription(sandbox.db, mailbox.owner.id, new).seen  # type: ignore[union-attr]


def test_what_waits_for_the_end_of_a_search(sandbox: Sandbox) -> None:
    """It is called as well when a search ends because nobody is left to call, and not only after the next search."""
    mailbox = sandbox.mailbox(sandbox.connect("carol", "carol@example.com"))
    delivery = CallbackDelivery(sandbox, 1, lambda: None, lambda text: None)
    called: list[bool] = []
    searched: list[bool] = []

    def drop(subscription: str) -> None:
        searched.append(delivery.is_searching)
        delivery.after_search = lambda: called.append(delivery.is_searching)
        trigger_store.delete_subscription(sandbox.db, subscription)

    async def run() -> None:
        subscription = subscribe(mailbox)
        deliver(mailbox, "One", "Two", "Three")
        # Between two looks, of which the first begins the search.
        delivery.wake()
        asyncio.get_running_loop().call_soon(drop, subscription)
        delivery.wake()
        for _ in range(5):
            await asyncio.sleep(0)
        delivery.close()

    asyncio.run(run())

    assert [True] == searched
    assert [False] == called
