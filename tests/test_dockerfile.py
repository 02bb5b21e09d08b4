"""The Dockerfile and compose.yaml as text. `python -m tools.check_image` builds and runs them."""

from __future__ import annotations

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlook_emulator import client
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
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STAGE = 1 + INSTRUCTIONS.index(("FROM", "${PYTHON_IMAGE}"))
"""The place of the first instruction of the image; those before it build the wheel."""


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS[STAGE:] if instruction == name]


def only(name: str) -> str:
    (rest,) = all_of(name)
    return rest


def copied() -> list[tuple[str, str]]:
    """Return the source and destination of each path that the wheel is built from."""
    pairs = []
    for instruction, arguments in INSTRUCTIONS[:STAGE]:
        if instruction == "COPY":
            *sources, target = arguments.split()
            pairs += [(source, target) for source in sources]
    return pairs


def variables() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", only("ENV")))


def labels() -> dict[str, str]:
    return dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', only("LABEL")))


def test_base_image_is_an_argument() -> None:
    """The base image is slim Python by default, and can be replaced for both stages."""
    assert INSTRUCTIONS[0] == ("ARG", "PYTHON_IMAGE=python:3.13-slim")
    assert ["${PYTHON_IMAGE} AS wheel", "${PYTHON_IMAGE}"] == [rest for name, rest in INSTRUCTIONS if name == "FROM"]


def test_sources_exist() -> None:
    """The wheel is built from exactly its sources, and all of them exist; the image holds none of them."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = [PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]]
    sources = {Path(source).parts[0] for source in (*files, *wheel["packages"], *wheel["force-include"])}
    needed = {"pyproject.toml", *sources}

    assert needed == {source for source, _ in copied()}
    assert all((ROOT / source).exists() for source in needed)
    assert all(Path(target).name in (source, "") for source, target in copied())
    assert [] == all_of("COPY")


def test_dependencies_are_a_layer_before_the_sources() -> None:
    """pip installs the locked dependencies in a layer of their own, and then the wheel, without looking for more."""
    pip = "python -m pip install --no-cache-dir --disable-pip-version-check"
    dependencies, project = all_of("RUN")

    assert "source=requirements/image.txt,target=/tmp/image.txt" in dependencies
    assert dependencies.endswith(f" {pip} --require-hashes --requirement /tmp/image.txt")
    assert "from=wheel" not in dependencies
    assert f" {pip} --no-index --no-deps /tmp/wheel/*.whl && " in project


def test_any_user() -> None:
    """The user is not root, and any other may write to the data folder, in which the process starts."""
    assert int(only("USER")) > 0
    assert all_of("RUN")[1].endswith(f"install --directory --mode=1777 {only('WORKDIR')}")


def test_settings_are_variables() -> None:
    """Variables set where to listen; the data stays in memory, so that no volume is made without need."""
    settings = Settings.from_environment(variables())

    assert {option.variable for option in options()} > variables().keys()
    assert ("0.0.0.0", "", Settings().port) == (settings.host, settings.data, int(only("EXPOSE")))
    assert [] == all_of("VOLUME")


def test_flags_follow_the_name_of_the_image() -> None:
    """The program starts without a shell, and serves unless another command is given."""
    (script,) = PROJECT["project"]["scripts"]

    assert [script] == json.loads(only("ENTRYPOINT"))
    assert ["serve"] == json.loads(only("CMD"))


def test_labels() -> None:
    """The labels say what the project file says."""
    project = PROJECT["project"]

    assert labels() == {
        "title": "Outlook Connector Emulator",
        "description": project["description"],
        "version": project["version"],
        "licenses": project["license"],
    }


def test_documented_command_passes_a_token() -> None:
    """The documented command passes the admin token, and the image does not contain it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^#   docker run (.*)$", text, re.MULTILINE)

    assert f"-e {client.TOKEN}=" in line
    assert not any(client.TOKEN in rest for _, rest in INSTRUCTIONS)


def test_health_check_finds_the_server_by_the_ready_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The health check runs `health`, which takes the URL from the ready file; it probes often at first."""
    timing, command = only("HEALTHCHECK").split("CMD ")
    ready = tmp_path / "ready"
    ready.write_text("outlook-emulator ready url=https://127.0.0.1:5000 store=memory ca=/tmp/ca.pem\n")
    (variable,) = (name for name in variables() if name.endswith("_READY_FILE"))
    monkeypatch.setenv(variable, str(ready))
    arguments = parser().parse_args(json.loads(command)[1:])

    assert ["outlook-emulator", "health"] == json.loads(command)
    assert arguments.url == "https://127.0.0.1:5000"
    assert "--start-interval=200ms" in timing


def test_compose_file() -> None:
    """`compose.yaml` builds this image, publishes its port on this machine only, and sets existing variables."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()

    assert (".", [f"127.0.0.1:{only('EXPOSE')}:{only('EXPOSE')}"]) == (service["build"], service["ports"])
    assert {option.variable for option in options()} > service["environment"].keys()
    assert client.TOKEN in service["environment"]


@pytest.mark.parametrize("entry", [".git", ".venv", "tests", "benchmarks", "data", ".mypy_cache"])
def test_context_is_small(entry: str) -> None:
    """The build context contains only what the build reads."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines
    assert {source for source, _ in copied()} | {"requirements"} == allowed
    assert not any(fnmatch(entry, pattern) for pattern in allowed)
