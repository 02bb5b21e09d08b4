"""Servers in processes of their own, on the first core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Running:
    """A server that answers on a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int

    def worked(self) -> float:
        """How long the processor has worked for it, in seconds; it has one thread."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def running(kind: str, argument: str, given: bytes = b"") -> Iterator[Running]:
    """One of the servers that `benchmarks.server` knows, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.server", kind, argument]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(given)
    process.stdin.close()
    try:
        yield Running(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


def on_second_core() -> None:
    """Keep this process, which asks and measures, off the core of the servers, where there is another."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {1})
