"""The examples work: the commands of their READMEs, in a copy of their folder, print what the READMEs show."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import outlook_emulator
from tests.cli.commands import CLEAN
from tests.docs.pages import Command, Page, matches
from tests.node import skip_without_node
from tests.paths import ROOT

EXAMPLES = ROOT / "examples"
README = Page.read(EXAMPLES / "README.md")
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
INSTALLS = ("python3 -m venv ", ". .venv/bin/activate", "pip install ")
"""How the commands begin that install what the tests have already."""


def commands(name: str) -> list[Command]:
    page = Page.read(EXAMPLES / name / "README.md")
    return [command for command in page.commands if not command.line.startswith(INSTALLS)]


def skip_without_tools(name: str) -> None:
    needed = {"python": ["azure.connectors"]}
    for module in needed.get(name, []):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the Python module {module} is not installed")
    if name == "java" and shutil.which("javac") is None:
        pytest.skip("a JDK is not installed")
    if name == "node":
        skip_without_node()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_readme(name: str, tmp_path: Path) -> None:
    """Each command succeeds and prints what the README shows."""
    skip_without_tools(name)
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "out", "node_modules"))
    # The commands of the environment that runs the tests, and the sources that it tests.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = CLEAN | {"PATH": path, "PYTHONPATH": str(Path(outlook_emulator.__file__).parents[1])}

    assert commands(name)
    for line, expected in commands(name):
        done = subprocess.run(
            ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert 0 == done.returncode, f"{line}\n{done.stdout}{done.stderr}"
        assert matches(expected, done.stdout), f"{line}\n{done.stdout}"


def test_every_example_is_listed() -> None:
    """The list of the examples names each of them."""
    assert NAMES == sorted(link.partition("/")[0] for link in README.links if link.endswith("README.md"))
