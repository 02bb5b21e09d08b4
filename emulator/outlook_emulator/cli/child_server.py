"""The emulator as a child process: it serves until it is told to stop, or until whoever started it is gone.

`python -m outlook_emulator.cli.child_server serve …`. The parent keeps standard input open and never writes to it. A
parent that is killed has no time to end its children.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread

from outlook_emulator.cli import main


def _attend() -> None:
    # Not by way of sys.stdin, whose lock must not be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_attend, daemon=True).start()
    raise SystemExit(main(sys.argv[1:]))
