"""The program `outlook-emulator`, and `python -m outlook_emulator`: runs the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> int:
    """Run the command of the process's arguments; returns the exit code."""
    if sys.argv[1:2] == ["serve"]:
        # Before the imports, which take most of the start: the first process of a container ignores SIGTERM until
        # it has a handler.
        signal.signal(signal.SIGTERM, _stop)
        # What the imports make is there to stay, so a tenth of the start would go into looking for garbage in it.
        gc.disable()

    from outlook_emulator import cli

    return cli.main()


def _stop(number: int, frame: object) -> None:
    """Exit with code 0, at once during the start, which a kill may interrupt anywhere."""
    if getattr(sys.modules.get("asyncio"), "_get_running_loop", lambda: None)() is None:
        # An exception would be lost in a callback of the interpreter, as imports have many.
        os._exit(0)
    # uvicorn stops gracefully and then raises the signal again, which must not look like a failure.
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
