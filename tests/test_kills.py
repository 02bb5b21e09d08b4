"""A server that is killed at any moment leaves whole sandboxes and all acknowledged effects.

`python -m tests.test_kills 200` runs so many kills and prints what it saw; the suite runs a few.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.test_durability import Running, serving

pytestmark = pytest.mark.slow

API = "/_emulator/api"
KILLS = 5
CONNECTIONS = 3
MAILS = 2
WORKERS = 3
MOST_ANSWERS = 20
LONGEST_ANSWER = 10.0


@dataclass
class Box:
    """What a worker knows of one of its sandboxes: the states in which it may be, of which the server has one.

    A state is the set of the subjects in it; None stands for a sandbox that does not exist.
    """

    name: str
    states: list[frozenset[str] | None]


@dataclass
class Worker:
    """Sends requests about sandboxes of its own, one after another, until the server is killed."""

    number: int
    answered: threading.Semaphore
    boxes: dict[str, Box] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def run(self, address: tuple[str, int], seed: int) -> None:
        """Work until the connection breaks."""
        rng = random.Random(seed)
        with suppress(OSError), socket.create_connection(address) as wire:
            for step in range(10_000):
                self._step(wire, rng, f"{seed}-{step}")

    def _step(self, wire: socket.socket, rng: random.Random, label: str) -> None:
        kept = [box for box in self.boxes.values() if box.states[0] is not None]
        kind = rng.choice(("create", "send", "import", "restore", "delete", "send"))
        if kind == "create" or not kept:
            name = f"w{self.number}-{label}"
            mails = [{"from": "x@example.org", "subject": f"new {number}"} for number in range(MAILS)]
            ids = [f"{name}-{number}" for number in range(CONNECTIONS)]
            order = {"name": name, "connections": [{"id": id, "mails": mails} for id in ids]}
            box = self.boxes[name] = Box(name, [None])
            whole = frozenset(f"new {number}" for number in range(MAILS))
            self._ask(wire, "create", box, "POST", f"{API}/sandboxes", json.dumps(order).encode(), whole)
            return
        box = rng.choice(kept)
        now = box.states[0]
        assert now is not None
        path = f"{API}/sandboxes/{box.name}"
        if kind == "send":
            mail = json.dumps({"from": "x@example.org", "subject": label}).encode()
            self._ask(wire, kind, box, "POST", f"{path}/connections/{box.name}-0/deliver", mail, now | {label})
        elif kind == "delete":
            self._ask(wire, kind, box, "DELETE", path, b"", None)
        elif kind == "import":
            file = _exchange(wire, "GET", f"{path}/export", b"")[1]
            self._ask(wire, "send", box, "POST", f"{path}/connections/{box.name}-0/deliver", b'{"from":"x@e.org"}', now)
            self._ask(wire, kind, box, "POST", f"{path}/import", file, now, "application/vnd.sqlite3")
        else:
            self._ask(wire, "snapshot", box, "PUT", f"{path}/snapshots/one", b"", now)
            mail = json.dumps({"from": "x@example.org", "subject": f"lost {label}"}).encode()
            lost = now | {f"lost {label}"}
            self._ask(wire, "send", box, "POST", f"{path}/connections/{box.name}-0/deliver", mail, lost)
            self._ask(wire, kind, box, "POST", f"{path}/snapshots/one/restore", b"", now)

    def _ask(
        self,
        wire: socket.socket,
        kind: str,
        box: Box,
        method: str,
        path: str,
        body: bytes,
        after: frozenset[str] | None,
        media_type: str = "application/json",
    ) -> None:
        """Send a request that changes a sandbox; until it is answered, both states are possible."""
        box.states = [*box.states[:1], after]
        status, answer = _exchange(wire, method, path, body, media_type)
        if not 200 <= status < 300:
            self.problems.append(f"{kind} of {box.name}: {status} {answer[:200]!r}")
        self.counts[kind] += 1
        self.answered.release()
        box.states = [after]


def _exchange(
    wire: socket.socket, method: str, path: str, body: bytes, media_type: str = "application/json"
) -> tuple[int, bytes]:
    """The status and the body of a response. Raises OSError when the server is gone."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n"
    wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(wire)
    header, _, answer = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in header.lower().splitlines() if line.startswith(b"content-length:")]
    while lengths and len(answer) < int(lengths[0]):
        answer += _received(wire)
    return int(header.split()[1]), answer


def _received(wire: socket.socket) -> bytes:
    part = wire.recv(1 << 20)
    if not part:
        raise ConnectionError("the server is gone")
    return part


def check(server: Running, workers: list[Worker]) -> list[str]:
    """What is not as it must be: sandboxes that are half made or lost, and effects that are."""
    problems = [problem for worker in workers for problem in worker.problems]
    listed: list[dict[str, Any]] = server.http.get(f"{API}/sandboxes").json()["value"]
    rows = {row["name"]: row for row in listed}
    problems += [f"{row['name']}: {row['problem']}" for row in listed if "problem" in row]
    known = {name for worker in workers for name in worker.boxes}
    problems += [f"{name} is unknown" for name in rows.keys() - known - {"default"}]
    for worker in workers:
        for name, box in list(worker.boxes.items()):
            state = _state(server, name) if name in rows else None
            if name in rows and len(rows[name]["connections"]) != CONNECTIONS:
                problems.append(f"{name} has the connections {rows[name]['connections']}")
            if state not in box.states:
                problems.append(f"{name} has {state}, expected one of {box.states}")
            box.states = [state]
            if state is None:
                del worker.boxes[name]
    return problems


def _state(server: Running, name: str) -> frozenset[str]:
    query = "fetchOnlyUnread=false&top=1000"
    mails = server.http.get(f"/apim/outlook/{name}-0/Mail?{query}").json()
    return frozenset(mail["Subject"] for mail in mails if mail["Subject"])


def run(data: Path, kills: int) -> tuple[list[str], Counter[str]]:
    """Kill a server so often at its work; returns the problems, and how many requests of each kind were answered."""
    answered = threading.Semaphore(0)
    workers = [Worker(number, answered) for number in range(WORKERS)]
    rng = random.Random(kills)
    problems: list[str] = []
    for kill in range(kills):
        with serving(data) as server:
            problems += check(server, workers)
            address = str(server.http.base_url.host), int(server.http.base_url.port or 0)
            threads = [
                threading.Thread(target=worker.run, args=(address, kill * WORKERS + worker.number))
                for worker in workers
            ]
            for thread in threads:
                thread.start()
            # After a request of one worker was answered, in the middle of those of the others.
            for _ in range(rng.randint(1, MOST_ANSWERS)):
                answered.acquire(timeout=LONGEST_ANSWER)
            server.kill()
            for thread in threads:
                thread.join()
    with serving(data) as server:
        problems += check(server, workers)
    return problems, sum((worker.counts for worker in workers), Counter())


@pytest.mark.long
def test_killed_in_mixed_writes(tmp_path: Path) -> None:
    """After each kill, every sandbox is whole or absent, and has all that was acknowledged."""
    problems, counts = run(tmp_path, KILLS)

    assert [] == problems
    assert counts["create"] > 0


if __name__ == "__main__":
    started = time.perf_counter()
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        broken, counts = run(Path(folder), total)
    print(f"{total} kills in {time.perf_counter() - started:.0f} s, answered: {dict(counts)}")
    print("\n".join(broken) or "no problem")
    sys.exit(bool(broken))
