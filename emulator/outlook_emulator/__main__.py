"""The program `outlook-emulator`, and `python -m outlook_emulator`: runs the command line."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> int:
    """Run the command of the process's arguments; returns the exit code."""
    if sys.argv[1:2] == ["serve"]:
        # Before the imports, which take most of the start: the first process of a container ignores SIGTERM until
        # it has a handler. uvicorn stops gracefully and then raises the signal again, which must not look like a
        # failure.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        # What the imports make is there to stay, so a tenth of the start would go into looking for garbage in it.
        gc.disable()

    from outlook_emulator import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
