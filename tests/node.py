"""Folders with packages of npm, for tests that run Node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.processes import HUNG_AFTER

_OLDEST = 20
"""The first version of Node that the packages support."""


def node_project(package: str) -> Path:
    """A folder in which Node finds a package; skips the test where Node, npm or the package is missing.

    The folder is kept for the next run, and shared by processes that run tests at the same time.
    """
    skip_without_node()
    name = re.sub(r"[^a-z0-9.]+", "-", package)
    folder = Path(tempfile.gettempdir()) / f"outlook-emulator-node-{name}-{os.environ.get('USER', 'user')}"
    if not (folder / "node_modules").exists():
        _install(package, folder)
    return folder


def skip_without_node() -> None:
    """Skip the test where Node or npm is missing, or Node is too old."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].partition(".")[0]) < _OLDEST:
        pytest.skip(f"Node {version.strip()} is older than {_OLDEST}")


def _install(package: str, folder: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="outlook-emulator-npm-"))
    command = ["npm", "install", "--prefix", str(draft), "--no-audit", "--no-fund", "--ignore-scripts", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HUNG_AFTER)
    if done.returncode != 0:
        shutil.rmtree(draft)
        pytest.skip(f"npm could not install {package}")
    try:
        draft.rename(folder)
    except OSError:
        # Another process was faster.
        shutil.rmtree(draft)
