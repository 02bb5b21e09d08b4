"""The emulator as a child process of `exec`: it stops on a signal, or when its parent is gone.

`python -m outlook_emulator.cli.child_server serve …`. The parent keeps standard input open and never writes to it, so
that its end means that the parent has ended; a parent that is killed cannot stop its children itself.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread

from outlook_emulator.cli import main


def _stop_with_parent() -> None:
    # Reads the descriptor itself: a thread that holds the lock of sys.stdin would crash the interpreter at exit.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    # As in `outlook_emulator.__main__`.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    Thread(target=_stop_with_parent, daemon=True).start()
    raise SystemExit(main(sys.argv[1:]))
