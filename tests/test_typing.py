"""The types of the public names, as a strict type checker sees them in a user's project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import outlook_emulator
from tests.processes import HUNG_AFTER

SUITE = Path(__file__).with_name("typing_tests") / "user_suite.py"


@pytest.mark.slow
def test_strict_type_checker_accepts_a_users_tests(tmp_path: Path) -> None:
    """A test file that uses every fixture and every public name has no type errors, and its types are exact."""
    (tmp_path / "test_user.py").write_bytes(SUITE.read_bytes())
    package = Path(outlook_emulator.__file__).parents[1]
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = true\nmypy_path = {package}\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "test_user.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 * HUNG_AFTER)

    assert (0, "Success: no issues found in 1 source file\n") == (done.returncode, done.stdout), done.stdout
