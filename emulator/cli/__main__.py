"""Lets `python -m emulator.cli` be the command."""

from __future__ import annotations

from emulator.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
