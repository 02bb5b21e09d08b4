"""What a server imports, and how the package behaves in another project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import outlook_contract
import outlook_emulator

DEVELOPMENT_ONLY = ("faker", "sqlalchemy", "sqlmodel", "trustme", "hypothesis", "schemathesis")

IMPORT_EVERYTHING = f"""
import importlib, pkgutil, sys

for name in {DEVELOPMENT_ONLY}:
    sys.modules[name] = None  # An import of it fails.
for package in ("outlook_emulator", "outlook_contract"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".", onerror=print):
        if not module.name.startswith("outlook_emulator.store.schema") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_no_module_needs_a_development_dependency() -> None:
    """Every module that ships can be imported without the development dependencies and the extras."""
    path = [str(Path(package.__file__ or "").parents[1]) for package in (outlook_emulator, outlook_contract)]
    program = f"import sys; sys.path[:0] = {path}\n{IMPORT_EVERYTHING}"

    assert "" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr
