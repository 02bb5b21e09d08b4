"""The documents stay true: the README's lines give what it says, its tables are the code's, the guide's steps work."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from typing_extensions import TypedDict

from outlook_emulator.app import features
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.operations.operation import Operation
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.swagger import swagger
from outlook_emulator.server.faults import plans
from outlook_emulator.server.webhooks.courier import Webhooks
from outlook_emulator.settings import Settings, options
from outlook_emulator.wire.base import Int32
from tests.paths import ROOT
from tests.test_pytest_plugin import passed, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_table() -> str:
    """The README's table of settings, as the code has it."""
    rows = [
        f"| `{one.flag}` | `{one.variable}` | {one.default if one.default != '' else '(empty)'} | {one.help} |"
        for one in options()
    ]
    return "\n".join(["| Flag | Variable | Default | Meaning |", "|---|---|---|---|", *rows])


def commands() -> list[tuple[str, str]]:
    """Every command of the README's console blocks and the output printed below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


def matches(expected: str, actual: str) -> bool:
    """Whether an output is the expected one; `…` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), actual, re.DOTALL) is not None


@pytest.fixture
def ready() -> Iterator[str]:
    """What the server that `make run` starts, on a port of its own, says first."""
    seeds = re.search(r"serve (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert seeds is not None
    command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0", *seeds[1].split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def url(ready: str) -> str:
    """Where that server answers."""
    return ready.split("url=")[1].split()[0]


def curl(line: str, url: str) -> str:
    """What a curl command of the README prints, asked of `url` instead."""
    words = iter(shlex.split(line.replace("http://127.0.0.1:4365", url))[1:])
    method, headers, data, write, target = "GET", {}, None, "", ""
    query = httpx.QueryParams()
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in ("-d", "--data-binary"):
            given = next(words)
            data = (ROOT / given[1:]).read_bytes() if given.startswith("@") else given.encode()
            method = "POST" if method == "GET" else method
        elif word == "--data-urlencode":
            query = query.add(*next(words).split("=", 1))
        elif word == "-X":
            method = next(words)
        elif word == "-w":
            write = next(words)
        elif word not in ("-s", "-G"):
            target = word
    answer = httpx.request(method, httpx.URL(target).copy_merge_params(query), headers=headers, content=data)
    return answer.text + write.replace("%{http_code}", str(answer.status_code)).replace("\\n", "")


def emulator(line: str, url: str) -> str:
    """What a command of the emulator's own prints, asked of the server at `url`."""
    command = [sys.executable, "-m", "outlook_emulator", *shlex.split(line)[1:], "--url", url]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


def test_the_readme_gives_what_it_says(url: str) -> None:
    """Pasted one after the other against a fresh server, the README's lines print what stands below them."""
    ours = ("curl", ".venv/bin/outlook-emulator")
    lines = [(command, output) for command, output in commands() if command.startswith(ours)]

    assert len(lines) >= 14
    for command, output in lines:
        actual = curl(command, url) if command.startswith("curl") else emulator(command, url)
        assert matches(output, actual), f"{command}\n{actual}"


def test_make_run_prints_the_ready_line(ready: str) -> None:
    """The README's first output is the line that the server prints, but for the port."""
    ((_, output),) = [pair for pair in commands() if pair[0] == "make run"]

    assert output == re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4365", ready)


def test_the_readmes_test_passes(tmp_path: Path) -> None:
    """The test that the README shows, put into a file of somebody's own, passes: the mail was sent twice."""
    (code,) = re.findall(r"```python\n(import asyncio\n.*?)```", README, re.DOTALL)

    assert passed(run(tmp_path, code), 1)


def test_the_readmes_plan_can_be_armed() -> None:
    """The plan of faults that the README shows is one."""
    (plan,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    sandboxes = Sandboxes(Settings())
    armed = plans.arm(sandboxes, sandboxes.default, plans.read(plan.encode()))

    assert ["busy", "fault-1", "fault-2"] == [one.name for one in armed]


def test_the_settings_table_is_the_codes() -> None:
    """Every setting stands in the README with its flag, variable, default and help."""
    shown = re.search(r"<!-- settings:.*?-->\n(.*?)\n?<!-- /settings -->", README, re.DOTALL)

    assert shown is not None
    assert settings_table() == shown[1]


def guide() -> dict[str, str]:
    """The guide's code, by the file that each piece belongs to."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    pieces = re.split(r"^# (emulator/\S+)\n", blocks, flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


async def ask(app: Connector, url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        return await client.get(url, headers={"Authorization": "Bearer token"})


def test_the_guides_operation_works() -> None:
    """Whoever follows the guide to the letter ends up with an operation that is served and documented."""
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


def test_the_architecture_page_names_every_room() -> None:
    """Every package and top-level module of the emulator stands on the page, which stays one page."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {
        path.stem
        for path in (ROOT / "emulator" / "outlook_emulator").iterdir()
        if path.suffix == ".py" or path.is_dir()
    }

    assert set() == {room for room in rooms - {"__init__", "__pycache__", "fixtures"} if room not in page}
    assert len(page.splitlines()) < 80
