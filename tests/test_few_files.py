"""A server that may have few files open serves many sandboxes and survives more clients than that."""

from __future__ import annotations

import resource
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cli.commands import CLEAN, READY, command

pytestmark = pytest.mark.slow

LIMIT = 64
SANDBOXES = 12


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def test_few_open_files(tmp_path: Path) -> None:
    """With 64 files, 12 sandboxes on disk and 50 silent clients, every request is served without a traceback."""
    serve = command("serve", "--port", "0", "--data", str(tmp_path))
    with subprocess.Popen(
        serve, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited
    ) as process:
        assert process.stdout is not None
        try:
            match = READY.fullmatch(process.stdout.readline())
            assert match is not None
            options: Any
            url, options = match[1], {"headers": {"Authorization": "Bearer x"}, "trust_env": False, "timeout": 30}
            for number in range(SANDBOXES):
                box = {"connections": [{"id": f"c{number}"}]}
                httpx.put(f"{url}/_emulator/api/sandboxes/s{number}", json=box, **options).raise_for_status()
            with ExitStack() as silent:
                for _ in range(50):
                    silent.enter_context(socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)))
                # A connection of its own for each: idle ones make room.
                places = [f"{url}/apim/outlook/c{number}/v2/Mail" for number in range(SANDBOXES)]
                answers = [httpx.get(place, **options).status_code for place in places]
        finally:
            process.terminate()
            _, log = process.communicate(timeout=30)

    assert [200] * SANDBOXES == answers
    assert "Traceback" not in log
