"""The static files: those of other projects are as they were published, and browsers may keep all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlook_emulator.server.web import static
from tests.server.web.forms import Visitor
from tools.vendor import FOLDER, digest, local_name, read_list

FILES = [
    (local_name(name, file), expected, package["version"])
    for name, package in read_list().items()
    for file, expected in package["files"].items()
]


@pytest.mark.parametrize(("name", "expected", "version"), FILES, ids=[name for name, _, _ in FILES])
def test_vendored_file(name: str, expected: str, version: str) -> None:
    """A file of another project is the one that the list names, and each project brings its licence."""
    assert expected == digest((FOLDER / name).read_bytes())
    assert version
    assert (FOLDER / Path(name).parent / "LICENSE").read_text(encoding="utf-8").strip()


def test_list_is_complete() -> None:
    """The list names every vendored file."""
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}

    assert files == {name for name, _, _ in FILES} | {"vendor.json"}


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("style.css", "text/css"),
        ("pages.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/htmx/LICENSE", "text/plain"),
    ],
)
def test_file_is_served(web: Visitor, name: str, type: str) -> None:
    """A static file has its type and may be kept, since its address changes with its content."""
    response = web.http.get(static.url_of_file(name))

    assert 200 == response.status_code
    assert response.headers["content-type"].startswith(type)
    assert "immutable" in response.headers["cache-control"]
    assert "no-store" == web.http.get(f"/_emulator/static/old/{name}").headers["cache-control"]


@pytest.mark.parametrize("name", ["nothing.css", "../render.py", "%2e%2e/render.py", "vendor/vendor.json", ""])
def test_other_files_are_not_served(web: Visitor, name: str) -> None:
    """Only static files are served."""
    assert 404 == web.http.get(f"/_emulator/static/x/{name}").status_code
