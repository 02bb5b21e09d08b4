"""Files that a command reads or writes; `-` is standard input or standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from outlook_emulator.cli.output import fail

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


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


def write(file: str, content: bytes, *, is_secret: bool = False) -> None:
    """Write content to a file, which only its owner may read if it is secret and new.

    Exits with a message if the file cannot be written.
    """
    try:
        if file == "-":
            sys.stdout.buffer.write(content)
            # Flushed here, so that a reader that has gone is noticed in this block.
            sys.stdout.buffer.flush()
        else:
            with os.fdopen(os.open(file, _NEW, 0o600 if is_secret else 0o666), "wb") as stream:
                stream.write(content)
    # A reader that has gone is no failure. `main` ends quietly.
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise SystemExit(fail(f"cannot write {file}: {getattr(error, 'strerror', None) or error}")) from None
