"""The checks of the contract. Each is a test function; see `outlook_contract.plugin` for their fixtures."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def groups(folder: Path = FOLDER) -> list[str]:
    """The groups of checks in a folder, by the names that select them."""
    return sorted(path.stem.removeprefix("test_") for path in folder.glob("test_*.py"))
