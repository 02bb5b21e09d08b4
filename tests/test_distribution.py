"""What is published: the built wheel serves mail, and the release files agree on the version and on the settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from outlook_emulator import client
from outlook_emulator.settings import ENVIRONMENT_PREFIX, options
from tests.cli.commands import CLEAN, READY
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTAINERS = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page about containers in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", CONTAINERS, re.MULTILINE | re.DOTALL)


def python(*arguments: str, folder: Path, **environment: str) -> str:
    """Run Python in a folder, which must succeed, and return its output."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=HUNG_AFTER,
    ).stdout


@pytest.mark.slow
def test_built_wheel_serves_mail(tmp_path: Path) -> None:
    """The wheel, installed into a folder of its own, loads a sample and takes a mail to another mailbox."""
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    python("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"--target={site}", str(wheel), folder=ROOT)
    script = site / ("Scripts/outlook-emulator.exe" if sys.platform == "win32" else "bin/outlook-emulator")

    process = subprocess.Popen(
        [script, "serve", "--port", "0", "--seed", "office,empty"],
        cwd=tmp_path,
        # The folder comes before the sources that are installed in this environment.
        env=CLEAN | {"PYTHONPATH": str(site)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            match = READY.fullmatch(process.stdout.readline())
            assert match is not None
            with httpx.Client(base_url=match[1], headers={"Authorization": "Key x"}, trust_env=False) as http:
                mail = {"To": "quiet@example.com", "Subject": "Hello", "Body": "Hello"}
                http.post("/apim/outlook/office/v2/Mail", json=mail).raise_for_status()
                (received,) = http.get("/apim/outlook/empty/v2/Mail").json()["value"]
        finally:
            process.kill()
    where = "import outlook_emulator; print(outlook_emulator.__file__, outlook_emulator.__version__)"
    shown = python("-c", where, folder=tmp_path, PYTHONPATH=str(site))

    assert received["Subject"] == "Hello"
    assert f"{site / 'outlook_emulator' / '__init__.py'} {PROJECT['version']}" == shown.strip()


def test_changelog_begins_with_the_version() -> None:
    """The first section of the changelog is that of the version in the project file, or of the next one."""
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert PROJECT["version"] in [name for name in sections if name != "Unreleased"][:1]


def test_release_workflow() -> None:
    """The workflow runs on tags, calls targets of the Makefile, and publishes only after the tests."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    targets = re.findall(r"\bmake (\w+)", " ".join(step.get("run", "") for step in steps))

    # YAML reads the key `on` as true.
    assert ["v*"] == workflow[True]["push"]["tags"]
    assert {"lint", "test", "dist", "image"} == set(targets)
    assert all(f"\n{target}:" in makefile for target in targets)
    assert [None, "test", "test"] == [job.get("needs") for job in workflow["jobs"].values()]


def test_development_container() -> None:
    """The dev container prepares the environment by a target of the Makefile, and forwards the default port."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    target = container["postCreateCommand"].removeprefix("make ")

    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [next(option.default for option in options() if option.name == "port")] == container["forwardPorts"]


def test_variables_in_the_examples_exist() -> None:
    """Every variable of the emulator in the examples for compose, workflows and testcontainers is one that it reads."""
    known = {option.variable for option in options()} | {client.URL, client.TOKEN, client.CA_FILE}
    examples = [yaml.safe_load(block) for block in blocks("yaml")]

    assert len(examples) >= 3
    assert set(re.findall(rf"{ENVIRONMENT_PREFIX}\w+", CONTAINERS)) <= known
