"""The Dockerfile as text: its sources, its user and its command."""

from __future__ import annotations

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.cli import parser
from outlook_emulator.settings import Settings, options
from tests.paths import ROOT


def _instructions() -> list[tuple[str, str]]:
    """Return each instruction with its arguments, without comments and with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    matches = re.finditer(r"^([A-Z]+)\s+(.+)$", joined, re.MULTILINE)
    return [(match[1], " ".join(match[2].split())) for match in matches]


INSTRUCTIONS = _instructions()


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name]


def only(name: str) -> str:
    (rest,) = all_of(name)
    return rest


def copied() -> list[tuple[str, str]]:
    """Return the source and destination of each path that is copied into the image."""
    pairs = []
    for arguments in all_of("COPY"):
        *sources, target = arguments.split()
        pairs += [(source, target) for source in sources]
    return pairs


def test_base_image_is_an_argument() -> None:
    """The base image is slim Python by default, can be replaced, and is the only stage."""
    assert [("ARG", "PYTHON_IMAGE=python:3.13-slim"), ("FROM", "${PYTHON_IMAGE}")] == INSTRUCTIONS[:2]
    assert only("FROM")


def test_sources_exist() -> None:
    """The image contains exactly the sources of the wheel and the locked dependencies, and all of them exist."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {Path(source).parts[0] for source in (*wheel["packages"], *wheel["force-include"])}
    metadata = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed = {*metadata, *sources, "requirements"}

    assert needed == {source for source, _ in copied()}
    assert all((ROOT / source).exists() for source in needed)
    assert all(Path(target).name in (source, "") for source, target in copied())


def test_only_pip_installs() -> None:
    """pip installs the locked dependencies and then the project, and nothing else is downloaded."""
    pip = "python -m pip install --no-cache-dir --disable-pip-version-check"
    dependencies, project, folder = (command.strip() for command in only("RUN").split("&&"))

    assert f"{pip} --require-hashes --requirement requirements/run.txt" == dependencies
    assert f"{pip} --no-deps ." == project
    assert folder.startswith("install --directory ")


def test_does_not_run_as_root() -> None:
    """The user is not root, and owns the data folder."""
    user = only("USER")

    assert user not in ("root", "0")
    assert f"--owner={user} " in only("RUN")
    assert INSTRUCTIONS.index(("USER", user)) > max(
        place for place, (name, _) in enumerate(INSTRUCTIONS) if name == "RUN"
    )


def test_data_and_port() -> None:
    """The data is in a volume, and the exposed port is the default port."""
    assert "/data" == only("VOLUME")
    assert only("RUN").endswith(" /data")
    assert str(Settings().port) == only("EXPOSE")


def test_serves_on_all_interfaces() -> None:
    """The container listens on all its interfaces, keeps its data in the volume, and starts without a shell."""
    command = json.loads(only("CMD"))
    arguments = parser().parse_args(command[1:])

    assert ["outlook-emulator", "serve", "--host", "0.0.0.0", "--data", "/data"] == command
    assert ("0.0.0.0", "/data", "serve") == (arguments.host, arguments.data, arguments.run.__name__)


def test_documented_command_passes_a_token() -> None:
    """The documented command passes the admin token, and the image does not contain it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^#   docker run (.*)$", text, re.MULTILINE)
    variable = next(option.variable for option in options() if option.name == "admin_token")

    assert f"-e {variable}=" in line
    assert not any(variable in rest for _, rest in INSTRUCTIONS)


def test_health_check_runs_the_health_command() -> None:
    """The health check runs the `health` command against the container's server."""
    timing, command = only("HEALTHCHECK").split("CMD ")
    arguments = parser().parse_args(json.loads(command)[1:])

    assert ["outlook-emulator", "health"] == json.loads(command)
    assert f"http://127.0.0.1:{only('EXPOSE')}" == arguments.url
    assert re.search(r"--interval=\d+s --timeout=\d+s", timing)


@pytest.mark.parametrize("entry", [".git", ".venv", "tests", "benchmarks", "data", ".mypy_cache"])
def test_context_is_small(entry: str) -> None:
    """The build context contains only what is copied."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines
    assert {source for source, _ in copied()} == allowed
    assert not any(fnmatch(entry, pattern) for pattern in allowed)
