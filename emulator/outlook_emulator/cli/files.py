"""Files that a command reads or writes; `-` is standard input or standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from outlook_emulator.cli.output import fail


def read(file: str) -> bytes:
    """The content of a file. Exits with a message if the file cannot be read."""
    try:
        if file == "-":
            if sys.stdin is None:
                raise ValueError("standard input is closed")
            return sys.stdin.buffer.read()
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise SystemExit(fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}")) from None


def write(file: str, content: bytes) -> None:
    """Write content to a file. Exits with a message if the file cannot be written."""
    try:
        if file == "-":
            sys.stdout.buffer.write(content)
            # Flushed here, so that a reader that has gone is noticed in this block.
            sys.stdout.buffer.flush()
        else:
            Path(file).write_bytes(content)
    # A reader that has gone is no failure. `main` ends quietly.
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise SystemExit(fail(f"cannot write {file}: {getattr(error, 'strerror', None) or error}")) from None
