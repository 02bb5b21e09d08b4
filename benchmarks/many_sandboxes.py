"""How many sandboxes one server carries: `python -m benchmarks.many_sandboxes [COUNT]`, by default 10,000.

Creates so many in memory and in a data folder, each with a connection and a mail, and prints times, memory and open
files; then how long a start on that folder takes after a stop and after a kill.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_HEAD = "Host: localhost\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n"
_SAMPLE = 2000
"""How many requests a figure is the mean of, at most."""
_FILES = 1024
"""The limit of open files, soft and hard: the usual one."""


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._stream = self._socket.makefile("rb")

    def send(self, method: str, path: str, order: object = None, expected: int = 200) -> None:
        """Send a request. Raises AssertionError unless the response has the expected status."""
        body = b"" if order is None else json.dumps(order).encode()
        head = f"{method} {path} HTTP/1.1\r\n{_HEAD}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status, length = int(self._stream.readline().split()[1]), 0
        while (line := self._stream.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        answer = self._stream.read(length)
        assert status == expected, (method, path, status, answer[:300])

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Server:
    """A server in a process of its own, which may open few files."""

    def __init__(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0", "--max-calls", "0", *arguments]
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_limit)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.start = time.perf_counter() - begun
        self.port = int(line.partition("url=")[2].split()[0].rpartition(":")[2])

    @property
    def memory(self) -> float:
        """The resident memory, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    @property
    def files(self) -> int:
        """How many files are open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def stop(self, how: signal.Signals) -> float:
        """End the process; returns how long that took, in seconds."""
        begun = time.perf_counter()
        self.process.send_signal(how)
        self.process.wait()
        return time.perf_counter() - begun


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))


@contextmanager
def serving(arguments: list[str]) -> Iterator[Server]:
    server = Server(arguments)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def main(count: int) -> None:
    print(f"{count:,} sandboxes, at most {_FILES:,} open files")
    with serving([]) as server:
        _fill(server, count, "in memory")
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--data", folder]
        with serving(arguments) as server:
            _fill(server, count, "with --data")
            print(f"  stop {server.stop(signal.SIGTERM):.2f} s")
        with serving(arguments) as server:
            print(f"  start after a stop {server.start:.2f} s, {server.memory:.0f} MB, {server.files} files")
            _use(server, count)
            server.stop(signal.SIGKILL)
        with serving(arguments) as server:
            print(f"  start after a kill {server.start:.2f} s, {server.memory:.0f} MB, {server.files} files")
            _use(server, count)


def _fill(server: Server, count: int, where: str) -> None:
    empty = server.memory
    with closing(Client(server.port)) as client:
        begun = time.perf_counter()
        for number in range(count):
            order = {"name": f"s{number}", "connections": [{"id": f"c{number}"}]}
            client.send("POST", "/_emulator/api/sandboxes", order, 201)
        seconds = time.perf_counter() - begun
    each = (server.memory - empty) * 1024 / count
    print(f"{where}: creation {seconds / count * 1e3:.2f} ms, {each:.0f} KB each, {server.files} files")
    _use(server, count)


def _use(server: Server, count: int) -> None:
    """Send and list in sandboxes at random, and in a few again and again."""
    rng = random.Random(1)
    with closing(Client(server.port)) as client:
        for kind, numbers in (("any", range(count)), ("the same 20", range(min(count, 20)))):
            chosen = [rng.choice(numbers) for _ in range(min(count, _SAMPLE))]
            sends = _timed(client, "POST", "/apim/outlook/c{}/v2/Mail", chosen)
            lists = _timed(client, "GET", "/apim/outlook/c{}/v2/Mail", chosen)
            print(f"  {kind}: send {sends:.2f} ms, list {lists:.2f} ms")
    print(f"  {server.memory:.0f} MB, {server.files} files")


def _timed(client: Client, method: str, path: str, numbers: list[int]) -> float:
    """The mean time of a request, in milliseconds."""
    begun = time.perf_counter()
    for number in numbers:
        order = {"To": f"c{number}@outlook.com", "Subject": "Hello", "Body": "x"} if method == "POST" else None
        client.send(method, path.format(number), order)
    return (time.perf_counter() - begun) / len(numbers) * 1e3


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
