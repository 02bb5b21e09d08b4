"""Lets `python -m outlook_emulator` run the command line."""

from __future__ import annotations

import sys

from outlook_emulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
