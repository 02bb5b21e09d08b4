"""The servers to measure, each in its own process: `python -m benchmarks.server KIND ARGUMENT`."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from outlook_emulator import enums
from outlook_emulator.app import create_app
from outlook_emulator.clock import microseconds
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.event import EventFields, Series
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.sandbox.samples import Sample, SampleMail
from outlook_emulator.serving import config_of
from outlook_emulator.settings import Settings

START = datetime(2025, 1, 1, tzinfo=UTC)
PARAGRAPH = "The quarterly figures are in, and the short version is that nobody needs to worry about the budget. "


def mails(count: int) -> Iterator[SampleMail]:
    """Mails of about a kilobyte. The mails that match a filter are at the same positions for every `count`."""
    for index in range(count):
        newest = count - 1 - index
        rare = newest in (3, 17, 42)
        yield SampleMail(
            mail=Mail(
                sender=Address(f"person{newest % 23}@example.com", f"Person {newest % 23}"),
                to=(Address("bench@example.com", "Bench"),),
                cc=(Address(f"other{newest % 7}@example.com"),),
                subject=f"{'Zeppelin' if rare else 'Status'} report {newest}",
                body=f"<html><body><p>Hello,</p>{f'<p>{PARAGRAPH}</p>' * 7}</body></html>",
                is_html=True,
                importance=2 if newest % 9 == 0 else 1,
                message_id=f"<{index}@example.com>",
                attachments=(Attachment("a.txt", b"x" * 200, "text/plain"),) if newest % 25 == 24 else (),
            ),
            folder=("Inbox",),
            received=microseconds(START + timedelta(minutes=index)),
            is_read=newest % 2 == 1,
            is_flagged=newest % 8 == 0,
        )


MANY_CALLS = 10**12
"""A limit that is never reached, so that requests are counted and accepted."""


def emulator(count: int, **more: Any) -> ASGIApp:
    """The emulator with two mailboxes: `bench` with `count` mails and `other` with none. `more` are settings."""
    app = create_app(Settings(**{"max_top": 100_000, "max_calls": MANY_CALLS, **more}))
    sandboxes = app.state.sandboxes
    sample = Sample(address="bench@example.com", display_name="Bench", folders=(), mails=tuple(mails(count)))
    sandboxes.fill(sandboxes.default, sample, "bench")
    sandboxes.connect(sandboxes.default, "other", "other@example.com", "Other")
    sandboxes.refresh(sandboxes.default)
    return app


def forgetful(count: int) -> ASGIApp:
    """The same emulator, which keeps no lists for those who ask for the same one again."""
    app: Any = emulator(count)
    sandbox, _ = app.state.sandboxes.find("bench")
    sandbox.db.kept_messages.keep_list = lambda request, messages: None
    return cast(ASGIApp, app)


def without_traffic(count: int) -> ASGIApp:
    """The same emulator without limits and journal."""
    return emulator(count, max_calls=0, max_concurrent=0, max_bytes_in_flight=0, journal_entries=0)


WEEK = datetime(2026, 3, 2, tzinfo=UTC)
IN_WEEK, SERIES_IN_WEEK = 20, 2


def events(count: int, live_series: int) -> Iterator[Series]:
    """`count` events, and a series for every fifty of them. The week of WEEK has the same events for every `count`."""
    for index in range(count):
        in_week = index < IN_WEEK
        start = WEEK + (timedelta(hours=8 * index) if in_week else timedelta(days=10 + index % 700, hours=index % 9))
        if index % 2 and not in_week:
            start -= timedelta(days=720)
        yield Series(_event(f"Meeting {index}", start))
    for index in range(count // 50):
        if index < live_series:
            start, until = WEEK - timedelta(weeks=100) + timedelta(hours=index % 90), None
        else:
            start = WEEK - timedelta(days=400 + index)
            until = (start + timedelta(days=300)).date()
        rule = recurrence.normalize(recurrence.simple(enums.Recurrence.Weekly, start.date(), until))
        yield Series(replace(_event(f"Series {index}", start), rule=rule))


def _event(subject: str, start: datetime) -> EventFields:
    begin = microseconds(start)
    return EventFields(subject=subject, start=begin, end=begin + 1_800_000_000, body="<p>Agenda</p>", location="Room 1")


def cards(count: int) -> Iterator[Card]:
    """Contacts, one of them with the surname Zeppelin."""
    for index in range(count):
        surname = "Zeppelin" if index == count // 2 else f"Person{index}"
        yield Card(
            given_name=f"Ann{index % 50}",
            surname=surname,
            company_name=f"Company {index % 30}",
            email_addresses=(Address(f"{surname.lower()}@example.com", surname),),
        )


def items(count: int, live_series: int = SERIES_IN_WEEK) -> ASGIApp:
    """The emulator with one mailbox of `count` events and `count` contacts."""
    app = create_app(Settings(max_calls=MANY_CALLS))
    sandboxes = app.state.sandboxes
    sample = Sample(
        address="bench@example.com",
        display_name="Bench",
        calendars={"Calendar": list(events(count, live_series))},
        contacts={"Contacts": list(cards(count))},
    )
    sandboxes.fill(sandboxes.default, sample, "bench")
    return app


def bare(body: bytes) -> ASGIApp:
    """An app with one route, which always returns `body`. It runs in uvicorn as that is, without a log of requests."""

    async def answer(request: Request) -> Response:
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])


def main(kind: str, argument: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    kinds: dict[str, Callable[[], ASGIApp]] = {
        "emulator": lambda: emulator(int(argument)),
        "forgetful": lambda: forgetful(int(argument)),
        "stored": lambda: emulator(100, data=argument),
        "without_traffic": lambda: without_traffic(int(argument)),
        "items": lambda: items(int(argument)),
        "live": lambda: items(int(argument), live_series=int(argument)),
        "bare": lambda: bare(sys.stdin.buffer.read()),
    }
    app = kinds[kind]()
    # As the real server does when it is ready.
    gc.freeze()
    is_bare = kind == "bare"
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False) if is_bare else config_of(app, port=0)
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await serving

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:3])
