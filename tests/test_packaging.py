"""What a server imports, and how the package behaves in another project."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import outlook_contract
import outlook_emulator
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

DEVELOPMENT_ONLY = ("faker", "sqlalchemy", "sqlmodel", "trustme", "hypothesis", "schemathesis", "testcontainers")
NOT_SERVED = ("outlook_emulator.store.schema", "outlook_emulator.testing.container")
"""Modules that only developers and users of an extra import."""

IMPORT_EVERYTHING = f"""
import importlib, pkgutil, sys

for name in {DEVELOPMENT_ONLY}:
    sys.modules[name] = None  # An import of it fails.
for package in ("outlook_emulator", "outlook_contract"):
    if package == "outlook_contract":
        # The checks come with the extra `contract`, which has these.
        del sys.modules["hypothesis"], sys.modules["schemathesis"]
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".", onerror=print):
        if not module.name.startswith({NOT_SERVED}) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_no_module_needs_a_development_dependency() -> None:
    """Every module that ships can be imported without the development dependencies and the extras."""
    path = [str(Path(package.__file__ or "").parents[1]) for package in (outlook_emulator, outlook_contract)]
    program = f"import sys; sys.path[:0] = {path}\n{IMPORT_EVERYTHING}"

    assert "" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr


def test_a_server_without_visitors_does_not_import_the_pages() -> None:
    """Pages and Jinja2 are imported for the first visitor, not at the start or for the connector."""
    program = """
import sys, httpx
from outlook_emulator.serving import running

with running() as server:
    get = httpx.Client(base_url=server.url, trust_env=False, timeout=60).get
    get("/apim/outlook/x/v2/Mail", headers={"Authorization": "Bearer x"})
    get("/_emulator/api/sandboxes")
    before = {name for name in ("jinja2", "markupsafe", "outlook_emulator.server.web.routes") if name in sys.modules}
    get("/_emulator/")
    print(before, "jinja2" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_AFTER, check=False)

    assert ("set() True\n", "") == (done.stdout, done.stderr)


def test_tls_names_the_extra_that_it_needs() -> None:
    """`serve --tls` without trustme exits with an error that contains the command to install it."""
    program = """
import sys

sys.modules["trustme"] = None
from outlook_emulator.cli import main

sys.exit(main(["serve", "--tls", "--port", "0"]))
"""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=HUNG_AFTER, check=False
    )

    assert 1 == process.returncode
    assert "pip install 'outlook-connector-emulator[tls]'" in process.stderr


def test_plugin_works_beside_a_folder_called_emulator(tmp_path: Path) -> None:
    """A project may have a folder `emulator`; pytest starts there and the fixtures of the plugin work."""
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator" / "__init__.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "test_mail.py").write_text("def test_send(outlook):\n    assert outlook.url.startswith('http')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mail.py"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HUNG_AFTER, check=False)

    assert "1 passed" in process.stdout


@pytest.mark.parametrize(
    ("file", "extras"), [("run.txt", []), ("image.txt", ["tls"]), ("dev.txt", ["tls", "testcontainers", "dev"])]
)
def test_lock_file_is_up_to_date(file: str, extras: list[str]) -> None:
    """A lock file pins every dependency of the project to an allowed version, with hashes and without an address."""
    text = (ROOT / "requirements" / file).read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    extra = [line for name in extras for line in PROJECT["optional-dependencies"][name]]
    needed = [Requirement(line) for line in (*PROJECT["dependencies"], *extra)]

    outdated = [
        str(requirement)
        for requirement in needed
        if requirement.name != PROJECT["name"]
        and not requirement.specifier.contains(pinned.get(requirement.name, "0"), prereleases=True)
    ]
    assert [] == outdated
    assert [] == [line for line in text.splitlines() if not re.match(r"[\w.-]+==|    --hash=sha256:", line)]


def test_make_accepts_the_versions_that_the_project_supports() -> None:
    """The versions in `tools/check_python.py` are those of the classifiers, and the oldest is the required one."""
    versions = [line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    text = (ROOT / "tools" / "check_python.py").read_text(encoding="utf-8")
    oldest, newest = (".".join(match) for match in re.findall(r"= \((\d+), (\d+)\)", text))

    assert (versions[0], versions[-1]) == (oldest, newest)
    assert f">={oldest}" == PROJECT["requires-python"]
