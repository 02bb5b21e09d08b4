"""The documents are correct: their commands print the shown output, their code runs, and their tables are current."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from typing_extensions import TypedDict

from outlook_emulator.mailbox.mail import folders
from outlook_emulator.operations.operation import Operation
from outlook_emulator.parts import features
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.swagger import swagger
from outlook_emulator.server.faults import plans
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.slices import whole
from outlook_emulator.wire.base import Int32
from tests.docs import shell
from tests.docs.pages import DOCS, PAGES, Page, matches, pages
from tests.paths import ROOT
from tests.processes import HUNG_AFTER
from tools import docs_tables as tables

README = Page.read(ROOT / "README.md")
READY = "outlook-emulator ready url=http://127.0.0.1:4365 store=memory"
WITH_COMMANDS = [page for page in pages() if any(shell.is_run(command.line) for command in page.commands)]
WITH_SCRIPTS = [page for page in pages() if page.scripts]


def named(page: Page) -> str:
    return page.name


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_commands(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's commands, run in order against a fresh server, print the output that the page shows."""
    serve, *more = [command for command in page.commands if shell.serve_settings(command.line) is not None]
    settings = shell.serve_settings(serve.line)
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)

    assert (READY, []) == (serve.output, more)
    with running(settings) as server:
        monkeypatch.setenv("OUTLOOK_EMULATOR_URL", server.url)
        for line, expected in page.commands:
            if shell.is_run(line):
                output = shell.run(line, server.url, tmp_path)
                assert matches(expected, output), f"{line}\n{output}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_commands_are_known(page: Page) -> None:
    """Every command on a page is run by the tests, or installs something or starts a server."""
    assert [] == [command.line for command in page.commands if not shell.is_known(command.line)]


@pytest.mark.parametrize("page", WITH_SCRIPTS, ids=named)
def test_scripts(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's Python scripts run without errors against a server with the sample mailboxes `office` and `empty`."""
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    with running(Settings(seed="office,empty")) as server:
        for script in page.scripts:
            exec(compile(script.replace(shell.URL, server.url), page.name, "exec", dont_inherit=True), {})


@pytest.mark.slow
def test_tests(tmp_path: Path) -> None:
    """The tests on the pages pass in a project that has the package installed."""
    expected = 0
    for page in pages():
        for number, code in enumerate(page.tests):
            name = f"test_{Path(page.name).stem.replace('-', '_').lower()}_{number}.py"
            (tmp_path / name).write_text(code, encoding="utf-8")
            expected += code.count("def test_")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "outlook_emulator.pytest_plugin", "--strict-markers"]
    # Other plugins take longer to start than these tests.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=HUNG_AFTER
    )

    assert expected > 0
    assert f"{expected} passed" in done.stdout, done.stdout


@pytest.mark.parametrize("page", pages(), ids=named)
def test_json(page: Page) -> None:
    """A page's JSON blocks are valid JSON, and its fault plans can be armed."""
    for block in page.blocks:
        if block.language == "json" and "faults" in json.loads(block.text):
            sandboxes = Sandboxes(Settings())
            whole(plans.arm(sandboxes, sandboxes.default, plans.read(block.text.encode())))


def test_make_run_serves_the_samples() -> None:
    """`make run` serves every sample mailbox."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    seeds = re.search(r"serve --seed (\S+)", makefile)

    assert seeds is not None
    assert {"office", "empty", "archive"} == set(seeds[1].split(","))


def test_readme_is_short() -> None:
    """The README contains only the start; the rest is in `docs/`."""
    assert len(README.text.splitlines()) <= 130


@pytest.mark.parametrize("page", [page for page in PAGES.values() if page.parent == DOCS], ids=lambda path: path.name)
def test_tables(page: Path) -> None:
    """The generated tables are up to date; `make docs-tables` writes them."""
    text = page.read_text(encoding="utf-8")

    assert tables.updated(text) == text


def test_every_table_is_on_one_page() -> None:
    """Each generated table is on exactly one page."""
    places = [name for page in pages() for name in re.findall(r"<!-- (?:built )?table: ([\w-]+) -->", page.text)]

    assert Counter([*tables.TABLES, *tables.BUILT_TABLES]) == Counter(places)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_links(name: str) -> None:
    """Links from documents outside `docs/` point to existing files; the site's build checks the links inside."""
    page = Page.read(ROOT / name)

    assert [] == [link for link in page.links if not (ROOT / link).exists()]


def test_llms_txt_names_every_page() -> None:
    """`llms.txt` links to every page but the index, and to no file that does not exist."""
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)]+)\)", text))

    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} == linked


def test_index_names_every_page() -> None:
    """The index names every page of the site, and the README links to the index."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    missing = [path.stem for path in PAGES.values() if path.parent == DOCS and path.stem not in index]

    assert [] == [stem for stem in missing if stem != "index"]
    assert "docs/index.md" in README.links


def write_files(page: Page, folder: Path) -> None:
    """Write the files that a page shows to a folder."""
    for name, text in page.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def guide() -> dict[str, str]:
    """Return the guide's code by file."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    pieces = re.split(r"^# (emulator/\S+)\n", blocks, flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


async def ask(app: Connector, url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        return await client.get(url, headers={"Authorization": "Bearer token"})


def test_operation_of_the_guide() -> None:
    """The operation that the contributor's guide adds is served and documented."""
    code = guide()
    names = {**vars(folders), "TypedDict": TypedDict, "Int32": Int32, "Operation": Operation, "folders": folders}
    for place in ("mailbox/mail/folders", "wire/metadata", "wire/metadata_convert"):
        exec(compile(code[f"emulator/outlook_emulator/{place}.py"], place, "exec", dont_inherit=True), names)
    names["folders"] = SimpleNamespace(**names)
    row = eval(code["emulator/outlook_emulator/operations/metadata.py"].strip(), names)
    settings = Settings()
    sandboxes = Sandboxes(settings)
    app = Connector(Starlette(), [row], sandboxes, settings, features(settings, Webhooks(sandboxes)))

    answer = asyncio.run(ask(app, "http://x/apim/outlook/me/Folders/Count?nested=True"))

    assert {"Count": len(folders.WELL_KNOWN)} == answer.json()
    assert "CountFolders" == swagger([row])["paths"]["/{connectionId}/Folders/Count"]["get"]["operationId"]


def test_architecture_page_names_every_package() -> None:
    """The architecture page names every package and top-level module, and stays short."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    parts = {
        path.stem
        for path in (ROOT / "emulator" / "outlook_emulator").iterdir()
        if path.suffix == ".py" or path.is_dir()
    }

    assert set() == {part for part in parts - {"__init__", "__pycache__", "fixtures"} if part not in page}
    assert len(page.splitlines()) < 80
