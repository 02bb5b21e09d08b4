"""The examples work: the commands of their READMEs, in a copy of their folder, print what the READMEs show."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import outlook_emulator
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.connector.swagger import swagger
from tests.cli.commands import CLEAN
from tests.docs.pages import DOCS, Command, Page, matches
from tests.node import node_project, skip_without_node
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

EXAMPLES = ROOT / "examples"
README = Page.read(EXAMPLES / "README.md")
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
INSTALLS = ("python3 -m venv ", ". .venv/bin/activate", "pip install ", "npm install")
"""How the commands begin that install what the tests have already."""


def commands(name: str) -> list[Command]:
    page = Page.read(EXAMPLES / name / "README.md")
    return [command for command in page.commands if not command.line.startswith(INSTALLS)]


def skip_without_tools(name: str) -> None:
    needed = {"python": "azure.connectors", "azure-functions": "azure.functions"}
    if name in needed and importlib.util.find_spec(needed[name]) is None:
        pytest.skip(f"the Python module {needed[name]} is not installed")
    if name == "java" and shutil.which("javac") is None:
        pytest.skip("a JDK is not installed")
    if name in ("node", "power-apps"):
        skip_without_node()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_readme(name: str, tmp_path: Path) -> None:
    """Each command succeeds and prints what the README shows."""
    skip_without_tools(name)
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "out", "node_modules"))
    if name == "power-apps":
        (folder / "node_modules").symlink_to(node_project("@microsoft/power-apps@^1.3") / "node_modules")
    # The commands of the environment that runs the tests, and the sources that it tests.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = CLEAN | {"PATH": path, "PYTHONPATH": str(Path(outlook_emulator.__file__).parents[1])}

    assert commands(name)
    for line, expected in commands(name):
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=HUNG_AFTER,
        )
        assert 0 == done.returncode, f"{line}\n{done.stdout}{done.stderr}"
        assert matches(expected, done.stdout), f"{line}\n{done.stdout}"


def test_the_workflow_calls_operations_of_the_connector() -> None:
    """Each call of the Logic Apps example is an operation, with parameters and members that the operation has."""
    paths, definitions = (swagger(OPERATIONS)[name] for name in ("paths", "definitions"))
    unknown = []
    for call in _calls(json.loads((EXAMPLES / "logic-apps/answer-requests/workflow.json").read_text(encoding="utf-8"))):
        path = call["path"] if "path" in call else call["pathTemplate"]["template"]
        parameters = paths[f"/{{connectionId}}{path}"][call["method"]]["parameters"]
        known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        for parameter in parameters:
            if parameter["in"] == "body":
                known |= set(definitions[parameter["schema"]["$ref"].rpartition("/")[2]]["properties"])
        unknown += sorted({*call.get("queries", {}), *call.get("body", {})} - known)

    assert [] == unknown


def _calls(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "method" in value:
            yield value
        for member in value.values():
            yield from _calls(member)


def test_the_bridge_is_that_of_the_documents() -> None:
    """The bridge for Power Apps is the same in the example and on the page."""
    shown = Page.read(DOCS / "power-apps.md").files["emulator-bridge.js"]

    assert shown == (EXAMPLES / "power-apps/src/emulator-bridge.js").read_text(encoding="utf-8")


def test_every_example_is_listed() -> None:
    """The list of the examples names each of them."""
    assert NAMES == sorted(link.partition("/")[0] for link in README.links if link.endswith("README.md"))
