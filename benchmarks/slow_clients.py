"""Slow clients by the hundred: what a normal client notices of them, and what the server logs.

`python -m benchmarks.slow_clients [SECONDS]` starts a server with a read timeout of 5 seconds, opens 1,200 idle
connections, and 300 clients that send half a head, half a body or one byte now and then. Meanwhile it sends mails, and
prints how long each took, how the slow clients ended, and how long the server took to stop.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter

import httpx

_HEAD = b"POST /apim/outlook/slow/v2/Mail HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n"
_SENT = {"idle": b"", "head": _HEAD, "body": _HEAD + b"content-length: 100\r\n\r\n{", "drip": _HEAD}
_COUNTS = {"idle": 1200, "head": 100, "body": 100, "drip": 100}
_MAIL = {"To": "me@outlook.com", "Subject": "Hello", "Body": "Hello"}
_TIMEOUT = 5


def main(seconds: float = 12) -> None:
    with tempfile.TemporaryFile() as log:
        options = ["--port=0", f"--read-timeout={_TIMEOUT}", "--max-calls=0"]
        command = [sys.executable, "-m", "outlook_emulator", "serve", *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().split("url=")[1].split()[0]
        times, ends = _attack(url, seconds)
        started = time.perf_counter()
        server.send_signal(signal.SIGTERM)
        server.wait()
        stopped = time.perf_counter() - started
        log.seek(0)
        lines = log.read().splitlines()
    times.sort()
    print(f"{len(times)} mails, median {times[len(times) // 2] * 1000:.1f} ms, slowest {times[-1] * 1000:.1f} ms")
    for kind, outcomes in ends.items():
        print(f"{kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    print(f"{len(lines)} lines of log; stopped in {stopped:.2f} s")


def _attack(url: str, seconds: float) -> tuple[list[float], dict[str, Counter[str]]]:
    """The seconds that each mail took, and how the slow clients of each kind ended."""
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    clients: dict[str, list[socket.socket]] = {kind: [] for kind in _COUNTS}
    with contextlib.ExitStack() as stack, httpx.Client(trust_env=False, timeout=60) as http:
        for kind, count in _COUNTS.items():
            for _ in range(count):
                client = stack.enter_context(contextlib.closing(socket.create_connection(address)))
                client.sendall(_SENT[kind])
                client.setblocking(False)
                clients[kind].append(client)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            answer = http.post(f"{url}/apim/outlook/me/v2/Mail", json=_MAIL, headers={"authorization": "Bearer x"})
            answer.raise_for_status()
            times.append(time.perf_counter() - started)
            for client in clients["drip"][len(times) % 10 :: 10]:
                with contextlib.suppress(OSError):
                    client.send(b"x")
            # As a client that works on each answer does.
            time.sleep(0.02)
        return times, {kind: Counter(map(_outcome, group)) for kind, group in clients.items()}


def _outcome(client: socket.socket) -> str:
    try:
        received = client.recv(65536)
    except BlockingIOError:
        return "still open"
    except OSError:
        return "reset"
    return received.split(b"\r\n")[0].decode() or "closed"


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
