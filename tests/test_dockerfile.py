"""The Dockerfile, read as text: what it is built from, who it runs as, and what it runs."""

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
    """Each instruction and what follows it, without comments and with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(one[1], " ".join(one[2].split())) for one in re.finditer(r"^([A-Z]+)\s+(.+)$", joined, re.MULTILINE)]


INSTRUCTIONS = _instructions()


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name]


def only(name: str) -> str:
    (rest,) = all_of(name)
    return rest


def copied() -> list[tuple[str, str]]:
    """Source and destination of everything that is copied into the image."""
    pairs = []
    for one in all_of("COPY"):
        *sources, target = one.split()
        pairs += [(source, target) for source in sources]
    return pairs


def test_base_image_is_an_argument() -> None:
    """The base is slim Python unless the build says otherwise, and there is one stage."""
    assert [("ARG", "PYTHON_IMAGE=python:3.13-slim"), ("FROM", "${PYTHON_IMAGE}")] == INSTRUCTIONS[:2]
    assert only("FROM")


def test_sources_exist() -> None:
    """Everything that is copied is there, and is what a wheel is built from."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {Path(one).parts[0] for one in (*wheel["packages"], *wheel["force-include"])}
    needed = {"pyproject.toml", project["project"]["readme"], *sources}

    assert needed == {source for source, _ in copied()}
    assert all((ROOT / source).exists() for source in needed)
    assert all(Path(target).name in (source, "") for source, target in copied())


def test_install_needs_nothing_but_pip() -> None:
    """One step runs anything, and it fetches nothing but by installing the project with pip."""
    commands = [one.strip() for one in only("RUN").split("&&")]

    assert "python -m pip install --no-cache-dir --disable-pip-version-check ." == commands[0]
    assert {"python", "install"} == {one.split()[0] for one in commands}


def test_runs_as_somebody_else() -> None:
    """What runs is not root, and owns the data folder."""
    user = only("USER")

    assert user not in ("root", "0")
    assert f"--owner={user} " in only("RUN")
    assert INSTRUCTIONS.index(("USER", user)) > max(at for at, one in enumerate(INSTRUCTIONS) if one[0] == "RUN")


def test_data_and_port() -> None:
    """The data lies in a volume, and the port is the one that is served by default."""
    assert "/data" == only("VOLUME")
    assert only("RUN").endswith(" /data")
    assert str(Settings().port) == only("EXPOSE")


def test_serves_to_the_outside() -> None:
    """The container serves on all its interfaces and keeps its data in the volume; no shell stands between."""
    command = json.loads(only("CMD"))
    given = parser().parse_args(command[1:])

    assert ["outlook-emulator", "serve", "--host", "0.0.0.0", "--data", "/data"] == command
    assert ("0.0.0.0", "/data", "serve") == (given.host, given.data, given.run.__name__)


def test_the_way_to_start_it_gives_a_token() -> None:
    """A server for the outside does not start without an admin token: not the image brings one, but who runs it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^#   docker run (.*)$", text, re.MULTILINE)
    variable = next(one.variable for one in options() if one.name == "admin_token")

    assert f"-e {variable}=" in line
    assert not any(variable in rest for _, rest in INSTRUCTIONS)


def test_health_is_asked_of_our_own_command() -> None:
    """The container's health is what the `health` command says of the server in it."""
    options, command = only("HEALTHCHECK").split("CMD ")
    given = parser().parse_args(json.loads(command)[1:])

    assert ["outlook-emulator", "health"] == json.loads(command)
    assert f"http://127.0.0.1:{only('EXPOSE')}" == given.url
    assert re.search(r"--interval=\d+s --timeout=\d+s", options)


@pytest.mark.parametrize("entry", [".git", ".venv", "tests", "benchmarks", "data", ".mypy_cache"])
def test_context_is_small(entry: str) -> None:
    """Nothing reaches the build but what is copied."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines
    assert {source for source, _ in copied()} == allowed
    assert not any(fnmatch(entry, one) for one in allowed)
