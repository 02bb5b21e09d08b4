"""Many concurrent clients: the ledger, the journal, the mailbox and the clients agree, and the run is reproducible."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest

from outlook_emulator import running
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings

pytestmark = pytest.mark.slow

CLIENTS = 32
OWN, SHARED = 300, 13
"""The number of requests per client: through its own connection, up to the limit, and through a shared connection."""
SANDBOX = "/_emulator/api/sandboxes/default"
MAIL = json.dumps({"To": "guest@example.net", "Subject": "Hi", "Body": "Hi"}).encode()
CALLS = (
    ("SendEmailV2", "POST", "/v2/Mail", MAIL),
    ("TestConnection", "GET", "/testconnection", b""),
    ("GetEmails", "GET", "/Mail?top=1", b""),
    ("GetEmailsV2", "GET", "/v2/Mail?top=1", b""),
    ("GetEmailsV2", "GET", "/v2/Mail?top=2", b""),
)
BUSY = ("GetDataSets", "GET", "/datasets", b"")
LADDER = ["timeout-504-before", "timeout-504-after", {"status": 503}, "work"] * 50
PLAN: list[dict[str, Any]] = [
    {"name": "ladder", "match": {"operation": "SendEmailV2"}, "sequence": LADDER},
    {"name": "coin", "match": {"operation": "GetEmailsV2"}, "when": {"probability": 0.1}, "effect": {"status": 503}},
    {"name": "nth", "match": {"operation": "TestConnection"}, "when": {"nth": [5, 50, 500]}, "effect": {"status": 418}},
    {
        "name": "some",
        "match": {"family": "GetEmails", "path": "/Mail"},
        "when": {"after": 100, "times": 50},
        "effect": "bad-gateway",
    },
    {
        "name": "busy",
        "match": {"connection": "busy"},
        "when": {"probability": 0.5, "seed": 7},
        "effect": {"status": 502},
    },
    {"name": "never", "match": {"operation": "DeleteEmail"}, "effect": "object-not-found"},
]
CallFacts = Counter[tuple[str, int]]


async def client(port: int, number: int, seen: CallFacts) -> None:
    """A client on one socket that sends its next request after it has read a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in range(OWN + SHARED):
        connection, call = (f"c{number}", CALLS[turn % len(CALLS)]) if turn < OWN else ("busy", BUSY)
        operation, method, path, body = call
        writer.write(
            f"{method} /apim/outlook/{connection}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(length)
        seen[operation, int(head.split()[1])] += 1
    writer.close()


async def clients(port: int) -> CallFacts:
    seen: CallFacts = Counter()
    await asyncio.gather(*(client(port, number, seen) for number in range(CLIENTS)))
    return seen


def run() -> tuple[CallFacts, dict[str, tuple[int, int, str]], dict[str, Any], int]:
    """Return what the clients received, the ledger, the journal's counts, and the number of outbox mails."""
    clock = VirtualClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
    with running(Settings(journal_entries=100), clock) as server, httpx.Client(base_url=server.url) as http:
        assert http.post(f"{SANDBOX}/faults", json={"faults": PLAN}).status_code == 201
        seen = asyncio.run(clients(httpx.URL(server.url).port or 0))
        ledger = {
            fault["name"]: (fault["matched"], fault["used"], fault["state"])
            for fault in http.get(f"{SANDBOX}/faults").json()["value"]
        }
        counts = http.get(f"{SANDBOX}/journal/counts").json()
        counts |= {name: http.get(f"{SANDBOX}/journal").json()[name] for name in ("total", "dropped")}
        return seen, ledger, counts, len(http.get(f"{SANDBOX}/outbox").json()["value"])


@pytest.fixture(scope="module")
def first() -> tuple[CallFacts, dict[str, tuple[int, int, str]], dict[str, Any], int]:
    return run()


def hits(seed: str, probability: float, draws: int) -> int:
    """Return the number of hits for this seed and probability."""
    rng = Random(seed)
    return sum(rng.random() < probability for _ in range(draws))


def test_everything_adds_up(first: tuple[CallFacts, dict[str, tuple[int, int, str]], dict[str, Any], int]) -> None:
    """After 10,000 requests, the clients' responses agree exactly with the ledger, the journal and the outbox."""
    seen, ledger, _, mails = first
    each = CLIENTS * OWN // len(CALLS)
    coin = hits("4365 coin", 0.1, 2 * each)
    busy = hits("7", 0.5, 300)
    sent = each - 100

    assert seen.total() == CLIENTS * (OWN + SHARED) >= 10_000
    assert seen == {
        ("SendEmailV2", 200): each - 150,
        ("SendEmailV2", 503): 50,
        ("SendEmailV2", 504): 100,
        ("GetEmailsV2", 200): 2 * each - coin,
        ("GetEmailsV2", 503): coin,
        ("TestConnection", 200): each - 3,
        ("TestConnection", 418): 3,
        ("GetEmails", 200): each - 50,
        ("GetEmails", 502): 50,
        ("GetDataSets", 200): 300 - busy,
        ("GetDataSets", 502): busy,
        ("GetDataSets", 429): CLIENTS * SHARED - 300,
    }
    assert ledger == {
        "ladder": (200, 200, "used up"),
        "coin": (2 * each, coin, "armed"),
        "nth": (each, 3, "used up"),
        "some": (150, 50, "used up"),
        "busy": (300, busy, "armed"),
        "never": (0, 0, "armed"),
    }
    assert mails == sent


def test_journal_adds_up(first: tuple[CallFacts, dict[str, tuple[int, int, str]], dict[str, Any], int]) -> None:
    """The journal counts every exchange by operation, status and cause, although it keeps only the last hundred."""
    seen, _, counts, _ = first
    statuses: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    for (operation, status), times in seen.items():
        statuses[str(status)] += times
        operations[operation] += times

    assert (seen.total(), 0) == (counts["exchanges"], counts["deliveries"])
    assert (seen.total(), seen.total() - 100) == (counts["total"], counts["dropped"])
    assert (statuses, operations) == (counts["byStatus"], counts["byOperation"])


def test_second_run_is_the_same(
    first: tuple[CallFacts, dict[str, tuple[int, int, str]], dict[str, Any], int],
) -> None:
    """Two runs with the same seed have the same faults."""
    assert first[:2] == run()[:2]
