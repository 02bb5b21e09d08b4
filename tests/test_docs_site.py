"""The documents build as a static site without warnings, and the site loads nothing from other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from outlook_emulator.operations import OPERATIONS
from tests.docs.pages import DOCS
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

pytest.importorskip("sphinx")
pytest.importorskip("furo")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site and return its folder; any warning, such as a broken link, fails the build."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["--quiet", "--nitpicky", "--fail-on-warning", "--keep-going"]
    command = [sys.executable, "-m", "sphinx", *strict, str(DOCS), str(folder), "-d", str(folder / ".doctrees")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HUNG_AFTER)
    assert (0, "") == (done.returncode, done.stderr)
    return folder


@pytest.mark.long
def test_no_resource_of_another_host(site: Path) -> None:
    """Scripts, styles, fonts and images all come from the site itself."""
    pages = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    foreign = r"(?:https?:)?//"

    assert [] == re.findall(rf"<(?:script|img|iframe)[^>]* src=[\"']?{foreign}[^>]*>", pages)
    assert [] == re.findall(rf"<link[^>]* href=[\"']?{foreign}[^>]*>", pages)
    assert [] == re.findall(rf"(?:@import|url\()\s*[\"']?{foreign}[^)]*", styles)


@pytest.mark.long
def test_every_operation_is_listed(site: Path) -> None:
    """The operations page lists every operation."""
    page = (site / "operations.html").read_text(encoding="utf-8")

    assert [] == [operation.id for operation in OPERATIONS if f">{operation.id}<" not in page]
