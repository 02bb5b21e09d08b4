"""Lets `python -m outlook_emulator.cli` be the command."""

from __future__ import annotations

from outlook_emulator.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
