"""Prints how throughput grows from one server to two: `python -m benchmarks.many`, in about 20 seconds.

Each server has a client of its own, in another process. On a machine of two cores, two servers and their clients share
them, so the processor time of a request says what one core carries.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import orjson

from benchmarks.client import Request, count_responses, fetch
from benchmarks.running import Running

SECONDS, ROUNDS, MAILS = 2.0, 3, 20
SANDBOX = "bench"
LIST = Request("GET", f"/apim/outlook/{SANDBOX}.me/v2/Mail?fetchOnlyUnread=false&top=10")


@contextmanager
def server() -> Iterator[Running]:
    """A server as users start it, with a sandbox of a few mails."""
    command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0", "--max-calls", "0"]
    command += ["--connection-ids", "sandbox", "--log", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = urlsplit(process.stdout.readline().split(b"url=")[1].split()[0]).port
            assert port is not None
            mails = [{"from": "a@example.org", "subject": f"Mail {number}"} for number in range(MAILS)]
            body = orjson.dumps({"connections": [{"id": f"{SANDBOX}.me", "mails": mails}]})
            fetch(port, Request("PUT", f"/_emulator/api/sandboxes/{SANDBOX}", body))
            yield Running(process, port)
        finally:
            process.terminate()


def measure(servers: list[Running], clients: ProcessPoolExecutor) -> tuple[float, float]:
    """The lists of ten mails per second of all servers, and the processor time of one in seconds."""
    before = sum(running.cpu_seconds() for running in servers)
    runs = [clients.submit(count_responses, running.port, LIST, SECONDS) for running in servers]
    results = [run.result() for run in runs]
    spent = sum(running.cpu_seconds() for running in servers) - before
    return sum(count / seconds for count, seconds in results), spent / sum(count for count, _ in results)


def main() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(server()) for _ in range(2)]
        clients = stack.enter_context(ProcessPoolExecutor(2))
        best = {count: max(measure(servers[:count], clients) for _ in range(ROUNDS)) for count in (1, 2)}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; lists of ten mails, best of {ROUNDS} rounds")
    for count, (rate, seconds) in best.items():
        print(f"{count} server(s): {rate:7.0f} per second, {seconds * 1_000_000:4.0f} µs of processor time each")
    print(f"growth: {best[2][0] / best[1][0]:.2f}")


if __name__ == "__main__":
    main()
