"""Runs the commands of a document against a server: `curl` as HTTP requests, `outlook-emulator` in this process."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx

from outlook_emulator.cli import main, parser
from outlook_emulator.cli.serve import settings_of
from outlook_emulator.settings import Settings

URL = "http://127.0.0.1:4365"
"""Where the documents' server answers."""
_PREFIXES = (".venv/bin/", "")
_NOT_RUN = ("make", "pip", ".venv/bin/pip", "python3 -m venv", "docker", "pytest", "func")
"""Commands that install or start something of their own; the tests do not run them."""


def serve_settings(line: str) -> Settings | None:
    """The settings of a command that starts the server, None for any other command."""
    words = _emulator_words(line)
    if not words or words[0] != "serve":
        return None
    return settings_of(parser().parse_args(words))


def is_run(line: str) -> bool:
    """Whether a command talks to the page's server."""
    words = _emulator_words(line)
    return line.startswith("curl ") or (words is not None and words[0] not in ("serve", "exec"))


def is_known(line: str) -> bool:
    """Whether a command is one of those that the documents may hold."""
    return is_run(line) or _emulator_words(line) is not None or line.startswith(_NOT_RUN)


def run(line: str, url: str, folder: Path) -> str:
    """The output of a command, run in `folder` against the server at `url` in place of the documents'."""
    line = line.replace(URL, url)
    output = _curl(line, folder) if line.startswith("curl ") else _emulator(line)
    return output.replace(url, URL)


def _emulator_words(line: str) -> list[str] | None:
    for prefix in _PREFIXES:
        if line.startswith(f"{prefix}outlook-emulator "):
            return shlex.split(line)[1:]
    return None


def _emulator(line: str) -> str:
    words = _emulator_words(line)
    assert words is not None
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        main(words)
    buffer = output.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def _curl(line: str, folder: Path) -> str:
    # Unlike a shell, shlex leaves the backslash before a dollar sign in double quotes.
    words = iter(shlex.split(line.replace("\\$", "$"))[1:])
    method, headers, content, suffix, target = "GET", dict[str, str](), None, "", ""
    query = httpx.QueryParams()
    shows_headers = False
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d" | "--data-binary":
                content = _content(next(words), folder)
                method = "POST" if method == "GET" else method
            case "--data-urlencode":
                query = query.add(*next(words).split("=", 1))
            case "-X":
                method = next(words)
            case "-w":
                suffix = next(words)
            case "-i":
                shows_headers = True
            case "-s" | "-G":
                pass
            case _:
                target = word
    response = httpx.request(
        method, httpx.URL(target).copy_merge_params(query), headers=headers, content=content, trust_env=False
    )
    head = "\n".join(_head(response)) if shows_headers else ""
    return head + response.text + suffix.replace("%{http_code}", str(response.status_code)).replace("\\n", "")


def _content(value: str, folder: Path) -> bytes:
    return (folder / value[1:]).read_bytes() if value.startswith("@") else value.encode()


def _head(response: httpx.Response) -> Iterator[str]:
    yield f"HTTP/1.1 {response.status_code} {response.reason_phrase}"
    yield from (f"{name}: {value}" for name, value in response.headers.items())
    yield ""
    yield ""
