"""Servers in separate processes, on the first core."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_QUIET = 2.5
"""After so many seconds without work, a server has nothing more to do."""


@dataclass
class Running:
    """A server that listens on a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """The processor time that its only thread has used, in seconds."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def wait_until_idle(self) -> None:
        """Wait until the server has indexed what was written; it begins when nothing was written for a second."""
        quiet_since, used = time.monotonic(), self._ticks()
        while time.monotonic() < quiet_since + _QUIET:
            time.sleep(0.1)
            if used != (used := self._ticks()):
                quiet_since = time.monotonic()

    def _ticks(self) -> int:
        """The processor time of all threads, in hundredths of a second."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


@contextmanager
def running(kind: str, argument: str, standard_input: bytes = b"") -> Iterator[Running]:
    """Run a server of `benchmarks.server` for the length of the block."""
    command = [sys.executable, "-m", "benchmarks.server", kind, argument]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(standard_input)
    process.stdin.close()
    try:
        yield Running(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


def on_second_core() -> None:
    """Move this process, the client, to another core than the servers, if there is one."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {1})
