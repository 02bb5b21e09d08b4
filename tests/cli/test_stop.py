"""A stopped server ends within a second, loses nothing, and logs no traceback, whatever is under way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import CLEAN, READY, command, default_signals, serving
from tests.stub import stubbed

pytestmark = pytest.mark.slow

API = "/_emulator/api/sandboxes/default"
MAIL = "/apim/outlook/ann/v2/Mail"
SLOW_NAMES = """
import runpy, socket, sys, threading
look_up = socket.getaddrinfo


def slowly(host, *rest, **more):
    if host in ("slow.example", b"slow.example"):
        print("looking up", file=sys.stderr, flush=True)
        threading.Event().wait()
    return look_up(host, *rest, **more)


socket.getaddrinfo = slowly
sys.argv = ["outlook-emulator", *sys.argv[1:]]
runpy.run_module("outlook_emulator", run_name="__main__")
"""
"""The command with a name server that does not answer."""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": "Bearer x"}, trust_env=False, timeout=30)


def subscribe(http: httpx.Client, url: str) -> None:
    details = {"callbackUrl": url}
    trigger = {"properties": {"operationName": "OnNewEmailV2", "notificationDetails": details}}
    http.put(f"{API}/connections/ann/triggerConfigs/news", json=trigger).raise_for_status()


def send(http: httpx.Client) -> None:
    mail = {"To": "ann@outlook.com", "Subject": "Hello", "Body": "x"}
    http.post(MAIL, json=mail).raise_for_status()


def url_of(line: str) -> str:
    match = READY.fullmatch(line)
    assert match is not None, line
    return match[1]


def longest_stop() -> float:
    """The seconds that a stop may take: one, and on a very busy machine still less than anything it could wait for."""
    # Windows does not know how busy it is.
    load: float = getattr(os, "getloadavg", lambda: (0.0,))()[0]
    return 1.0 if load <= 4 * (os.cpu_count() or 1) else 3.0


def stopped(process: subprocess.Popen[str], number: int) -> tuple[float, tuple[str, str]]:
    """The seconds until a process has ended after a signal, and what it still wrote."""
    process.send_signal(number)
    start = time.monotonic()
    rest = process.communicate(timeout=30)
    return time.monotonic() - start, rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_stops_with_callbacks_and_streams(tmp_path: Path, silent: socket.socket, number: int) -> None:
    """A callback without an answer, live pages and a followed journal hold no stop; the next start calls again."""
    data = ("--port", "0", "--data", str(tmp_path))
    hook = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
    with ExitStack() as stack:
        process, line = stack.enter_context(serving(*data))
        http = stack.enter_context(client(url := url_of(line)))
        http.post(f"{API}/connections", json={"id": "ann"}).raise_for_status()
        subscribe(http, hook)
        for _ in range(3):
            events = stack.enter_context(http.stream("GET", "/_emulator/s/default/live"))
            assert events.status_code == 200
            next(events.iter_raw())
        follow = command("journal", "--follow", "--url", url)
        follower = subprocess.Popen(follow, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(follower.kill)
        stack.enter_context(follower)
        assert follower.stdout is not None
        send(http)
        called, _ = silent.accept()
        stack.enter_context(closing(called))
        assert "SendEmailV2" in follower.stdout.readline()
        seconds, rest = stopped(process, number)
        followed = follower.communicate(timeout=30)

    assert (0, ("", "")) == (process.returncode, rest)
    assert seconds < longest_stop()
    assert (1, 1) == (follower.returncode, len(followed[1].splitlines()))
    with serving(*data) as (_, line), client(url_of(line)) as http:
        again, _ = silent.accept()
        with closing(again):
            states = [(row["state"], row["attempts"]) for row in http.get(f"{API}/callbacks").json()["value"]]
            subjects = [mail["Subject"] for mail in http.get(MAIL).json()["value"]]

    assert ([("pending", 0)], ["Hello"]) == (states, subjects)


def test_stops_while_a_name_is_looked_up() -> None:
    """A name server that does not answer holds no stop."""
    serve = [sys.executable, "-c", SLOW_NAMES, "serve", "--port", "0", "--callback-hosts", "slow.example"]
    with (
        default_signals(),
        subprocess.Popen(serve, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        http = stack.enter_context(client(url_of(process.stdout.readline())))
        http.post(f"{API}/connections", json={"id": "ann"}).raise_for_status()
        subscribe(http, "http://slow.example/hook")
        send(http)
        assert "looking up\n" == process.stderr.readline()
        seconds, rest = stopped(process, signal.SIGTERM)

    assert (0, ("", "")) == (process.returncode, rest)
    assert seconds < longest_stop()


def test_follow_ends_quietly_on_interrupt() -> None:
    """Ctrl-C ends a followed journal with exit code 0."""
    with stubbed() as stub, default_signals():
        stub.body = {"value": []}
        follow = command("journal", "--follow", "--url", stub.url)
        with subprocess.Popen(follow, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            stub.wait(2)
            seconds, rest = stopped(process, signal.SIGINT)

    assert (0, ("", "")) == (process.returncode, rest)
    assert seconds < longest_stop()
