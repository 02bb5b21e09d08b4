"""Builds the image and checks it as its users run it: size, start, stop, users, flags, TLS, data, compose.

`python -m tools.check_image` uses the Docker engine of this machine. With `--debian` it uses one made of Debian's
packages, and a Python image made of them; where that cannot run, it says so and succeeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

from outlook_emulator import client
from tools.debian_docker import PYTHON_IMAGE, DebianDocker

IMAGE = "outlook-emulator"
TOKEN = "secret"
ROOT = Path(__file__).parents[1]
DATA = "OUTLOOK_EMULATOR_DATA=/data"

_COMPOSED = "http://127.0.0.1:4365"
"""Where the files of compose serve."""
_COMPOSED_ONCE = Lock()
_PREPARE, _BUILD, _CHECK = 600.0, 600.0, 900.0
"""Longest durations of the steps, in seconds."""
_CALL = 60.0
_HEALTHY = 60.0
_MOST_STOP, _MOST_STOP_BUSY = 1.0, 3.0
"""Seconds. A busy machine takes longer, but less than the five that a forgotten wait takes."""
_MOST_HEALTHY_AFTER_READY = 1.0
"""Seconds from the ready line to the health check that notices it. How long the start takes before that depends on the
machine, and has no limit but `_HEALTHY`.
"""
_BUSY = 2.0
"""Processes that want to run, for each processor; beyond it, that time says more about the machine than the image."""
_TRIES = 3
"""How often a check is tried that is only too slow: other work on the machine can delay one health check, not three."""


class Wrong(Exception):
    """The image does not do what it should."""


class Slow(Wrong):
    """The image does what it should, but takes too long for it."""


class Container:
    """A running container of the image; `port` is the one inside."""

    def __init__(self, name: str, port: int, scheme: str) -> None:
        self.name = name
        self.ca_file = ""
        self._port, self._scheme = port, scheme

    @property
    def url(self) -> str:
        # A restart publishes another port.
        return f"{self._scheme}://{docker('port', self.name, str(self._port)).splitlines()[0]}"

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(docker("inspect", "--format={{json .State}}", self.name))
        return state

    def log(self, *flags: str) -> str:
        done = subprocess.run(["docker", "logs", *flags, self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def await_healthy(self) -> None:
        """Wait until the health check succeeds. Raises Wrong."""
        end = time.monotonic() + _HEALTHY
        while (state := self.state())["Health"]["Status"] != "healthy":
            if time.monotonic() > end or not state["Running"]:
                raise Wrong(f"not healthy in {_HEALTHY:g} s: {state['Health']['Log'][-1:]} {self.log()}")
            # Each look starts a process, which takes time from the container.
            time.sleep(0.2)

    def start_times(self) -> tuple[float, float]:
        """The seconds from the start to the ready line and to the first successful health check."""
        state = self.state()
        start = _instant(state["StartedAt"])
        ready = _ready_line(self, "--timestamps")
        passed = next(probe for probe in state["Health"]["Log"] if probe["ExitCode"] == 0)
        return _instant(ready.partition(" ")[0]) - start, _instant(passed["End"]) - start

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that must succeed; returns the JSON of the response."""
        status, content = client.fetch(method, self.url + path, body, token=TOKEN, ca_file=self.ca_file)
        if not 200 <= status < 300:
            raise Wrong(f"{method} {path} gave {status} {content.decode(errors='replace')}")
        return json.loads(content or b"null")

    def serve_mail(self) -> None:
        """Send a mail from one mailbox to another. Raises Wrong if it does not arrive."""
        self.request("POST", "/apim/outlook/ada/v2/Mail", {"To": "bob@outlook.com", "Subject": "Hi", "Body": "Hi"})
        if self.subjects() != ["Hi"]:
            raise Wrong(f"the mail did not arrive: {self.subjects()}")

    def subjects(self) -> list[str]:
        return [mail["Subject"] for mail in self.request("GET", "/apim/outlook/bob/v2/Mail")["value"]]

    def stop(self) -> float:
        """Stop it as `docker stop` does; returns the seconds. Raises Wrong, and Slow if only the time is wrong."""
        start = time.monotonic()
        docker("stop", self.name)
        seconds = time.monotonic() - start
        if self.state()["ExitCode"] != 0 or "Traceback" in self.log():
            raise Wrong(f"stopped with exit code {self.state()['ExitCode']}: {self.log()}")
        if seconds > (_MOST_STOP_BUSY if _load() > _BUSY else _MOST_STOP):
            raise Slow(f"stopped after {seconds:.2f} s")
        return seconds


@contextmanager
def container(*flags: str, command: Sequence[str] = (), port: int = 4365, scheme: str = "http") -> Iterator[Container]:
    """A container of the image, started with flags of `docker run`; it is removed when the block ends."""
    variables = ["--env", f"OUTLOOK_EMULATOR_ADMIN_TOKEN={TOKEN}"]
    name = docker("run", "--detach", "--publish", f"127.0.0.1::{port}", *variables, *flags, IMAGE, *command)
    try:
        yield Container(name, port, scheme)
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def composed(file: str) -> Iterator[Callable[..., str]]:
    """Start what a file of compose describes; the block gets a function that runs commands of compose on it."""

    def compose(*arguments: str) -> str:
        return docker("compose", "--file", str(ROOT / file), *arguments)

    # They publish the same port.
    with _COMPOSED_ONCE:
        try:
            compose("up", "--detach", "--wait", "--no-build")
            yield compose
        finally:
            compose("down", "--volumes", "--timeout", "2")


def check_start_and_stop() -> str:
    """Without options it keeps everything in memory, and stops at once while a request waits."""
    with container() as it, ThreadPoolExecutor(1) as pool:
        it.await_healthy()
        it.serve_mail()
        if " store=memory" not in it.log() or "/data" in docker("diff", it.name):
            raise Wrong("it wrote to /data without being told to")
        body = {"subject": "never", "timeoutSeconds": 60}
        path = f"{it.url}/_emulator/api/sandboxes/default/wait"
        waiting = pool.submit(client.fetch, "POST", path, body, 90.0, token=TOKEN)
        time.sleep(0.5)
        seconds = it.stop()
        status, _ = waiting.result()
        if status != 503:
            raise Wrong(f"the open wait ended with status {status}")
        return f"{_start(it)}, stopped in {seconds:.2f} s with a wait open"


def check_early_stop() -> str:
    """It hears SIGTERM while it starts."""
    longest = 0.0
    for delay in (0.1, 0.2, 0.4):
        with container() as it:
            time.sleep(delay)
            longest = max(longest, it.stop())
    return f"stopped in {longest:.2f} s at most during the start"


def check_users() -> str:
    """Any user can keep data in a volume, and a restart finds it."""
    for user in ("1234", "4365"):
        volume = docker("volume", "create")
        try:
            with container("--user", user, "--volume", f"{volume}:/data", "--env", DATA) as it:
                it.await_healthy()
                it.serve_mail()
                it.stop()
                docker("start", it.name)
                it.await_healthy()
                if it.subjects() != ["Hi"]:
                    raise Wrong(f"user {user} lost its mail")
        finally:
            docker("volume", "rm", "--force", volume)
    return "users 1234 and 4365 keep mail in a volume"


def check_flags() -> str:
    """Flags add to the settings of the image, and the health check follows them."""
    with container(command=["serve", "--port", "5000", "--seed", "office"], port=5000) as it:
        it.await_healthy()
        if not it.request("GET", "/apim/outlook/office/v2/Mail")["value"]:
            raise Wrong("--seed did not load the sample")
        if "office" not in docker("exec", it.name, "outlook-emulator", "connections", "list"):
            raise Wrong("a command in the container does not find the server")
    with container("--env", "OUTLOOK_EMULATOR_SEED=office", "--read-only") as it:
        it.await_healthy()
        if not it.request("GET", "/apim/outlook/office/v2/Mail")["value"]:
            raise Wrong("the variable did not load the sample")
    if "SendEmailV2" not in docker("run", "--rm", IMAGE, "operations"):
        raise Wrong("another command than serve does not run")
    return "flags, variables, another port, a read-only container and other commands work"


def check_tls() -> str:
    """It serves https, by flag and by variable, with a health check."""
    figures = []
    for flags, command in (((), ["serve", "--tls"]), (("--env", "OUTLOOK_EMULATOR_TLS=yes", "--user", "1234"), [])):
        with container(*flags, command=command, scheme="https") as it, tempfile.NamedTemporaryFile("w") as file:
            it.await_healthy()
            file.write(docker("exec", it.name, "cat", client.ready_facts(_ready_line(it).strip())["ca"]))
            file.flush()
            it.ca_file = file.name
            it.serve_mail()
            figures.append(_start(it))
            it.stop()
    return "; ".join(figures)


def check_compose() -> str:
    """`compose.yaml` serves at the default port."""
    with composed("compose.yaml"):
        if not _fetch("/apim/outlook/office/v2/Mail")["value"]:
            raise Wrong("compose serves no sample")
    return "compose.yaml serves the samples"


def check_many_servers() -> str:
    """With `deploy/compose.yaml`, each sandbox lives on one of three servers, also while others are down."""
    names = {f"s{number}" for number in range(12)}
    with composed("deploy/compose.yaml") as compose:
        for name in names:
            _fetch(f"/_emulator/api/sandboxes/{name}", {"connections": [{"id": f"{name}.ada"}]}, method="PUT")
            mail = {"To": f"{name}.ada@outlook.com", "Subject": name, "Body": name}
            _fetch(f"/apim/outlook/{name}.ada/v2/Mail", mail, method="POST")
        homes: dict[str, set[str]] = {}
        for server in ("outlook-0", "outlook-1", "outlook-2"):
            listed = json.loads(compose("exec", "--no-TTY", server, "outlook-emulator", "sandbox", "list", "--json"))
            homes[server] = {sandbox["name"] for sandbox in listed["value"]} - {"default"}
        if sorted(chain(*homes.values())) != sorted(names) or not all(homes.values()):
            raise Wrong(f"the sandboxes are not shared out: {homes}")
        # In one of these orders, the engine would give each the address of the other.
        for restarted in (("outlook-0", "outlook-1"), ("outlook-1", "outlook-0")):
            compose("stop", *restarted)
            for server, sandboxes in homes.items():
                _expect(min(sandboxes), 502 if server in restarted else 200)
            for server in restarted:
                compose("start", server)
            compose("up", "--detach", "--wait", "--no-build")
            for name in names:
                _expect(name, 200)
    return f"deploy/compose.yaml: {len(names)} sandboxes on three servers, two of which were stopped twice"


def _expect(name: str, expected: int) -> None:
    """Read the mail of a sandbox. Raises Wrong unless the status is this one, and with 200 the mail is there."""
    status, content = client.fetch("GET", f"{_COMPOSED}/apim/outlook/{name}.ada/v2/Mail", token="anything")
    text = content.decode(errors="replace")
    if status != expected or (status == 200 and [mail["Subject"] for mail in json.loads(text)["value"]] != [name]):
        raise Wrong(f"the sandbox {name} gave {status} instead of {expected}: {text}")


def check_testcontainers() -> str:
    """The tests of `outlook_emulator.testing.container` pass against the image."""
    # Ryuk is an image of its own, which removes containers after a crash.
    environment = os.environ | {
        "OUTLOOK_EMULATOR_TEST_IMAGE": IMAGE,
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        # The certificate is valid for localhost, and not for the address of the bridge.
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
    }
    command = [sys.executable, "-m", "pytest", "tests/testing/test_container.py", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or "skipped" in done.stdout:
        raise Wrong((done.stdout + done.stderr)[-2000:])
    return f"testcontainers: {done.stdout.strip().splitlines()[-1]}"


def check_size() -> str:
    """The size is that of the base and what the emulator adds."""
    size = int(docker("inspect", "--format={{.Size}}", IMAGE))
    labels = json.loads(docker("inspect", "--format={{json .Config.Labels}}", IMAGE))
    if not all(labels.get(f"org.opencontainers.image.{name}") for name in ("title", "version", "licenses")):
        raise Wrong(f"labels are missing: {labels}")
    base = docker("images", "--quiet", PYTHON_IMAGE)
    if not base:
        return f"{size / 1e6:.0f} MB"
    added = size - int(docker("inspect", "--format={{.Size}}", base))
    return f"{size / 1e6:.0f} MB, of which {added / 1e6:.0f} MB are added to the base"


_ALONE = (check_size, check_start_and_stop, check_early_stop, check_tls)
"""The checks that measure times."""
_SIDE_BY_SIDE = (check_testcontainers, check_many_servers, check_users, check_flags, check_compose)
"""The other checks, longest first."""


def docker(*arguments: str) -> str:
    """Run a command of docker; returns what it prints. Raises Wrong with its error."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=_CALL, check=False)
    if done.returncode:
        raise Wrong(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def build(python_image: str) -> int:
    """Build the image; pip takes its index from the configuration of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        whole = ["docker", "build", "--progress=plain", f"--tag={IMAGE}", *_pip_secrets(Path(folder))]
        if python_image:
            whole.append(f"--build-arg=PYTHON_IMAGE={python_image}")
        # An engine without a bridge has no other network.
        done = subprocess.run([*whole, "--network=host", str(ROOT)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode


def check() -> int:
    """Run all checks, and print the result of each; returns the exit code."""
    passed = [_passes(run) for run in _ALONE]
    # A start takes a processor for itself.
    with ThreadPoolExecutor(2) as pool:
        passed += pool.map(_passes, _SIDE_BY_SIDE)
    # The closing line that test runners print.
    print(f"{passed.count(True)} passed, {passed.count(False)} failed")
    return int(not all(passed))


def _passes(run: Callable[[], str]) -> bool:
    """Run a check, and print its result."""
    start = time.monotonic()
    result, passes = "", False
    for _ in range(_TRIES):
        try:
            result, passes = run(), True
            break
        except Slow as error:
            result = f"FAILED: {error}"
        except (Wrong, subprocess.TimeoutExpired) as error:
            result = f"FAILED: {error}"
            break
    # In one piece, since other checks print at the same time.
    name = run.__name__.removeprefix("check_")
    print(f"{name:16} {result}  ({time.monotonic() - start:.0f} s)\n", end="", flush=True)
    return passes


def with_debian(kept: Path | None, *, only_prepare: bool = False) -> int:
    """Build and check with an engine made of Debian's packages, if this machine can; or leave the check to a later run.

    The later run finds the engine and the layers of the image in the folder that is kept.
    """
    if missing := DebianDocker.lacks():
        print(f"the image is not checked: this machine lacks {missing}")
        return 0
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="outlook-image-") as folder:
        engine = DebianDocker(Path(folder))
        start = time.monotonic()
        try:
            engine.prepare(_PREPARE)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"the image is not checked: mmdebstrap failed here: {str(error.stderr)[-1000:]}")
            return 0
        print(f"engine and Python image made in {time.monotonic() - start:.0f} s", flush=True)
        this = [sys.executable, "-m", "tools.check_image"]
        start = time.monotonic()
        if engine.run([*this, "build", f"--python-image={PYTHON_IMAGE}"], isolated=False, timeout=_BUILD):
            return 1
        print(f"image built in {time.monotonic() - start:.0f} s", flush=True)
        if only_prepare:
            return 0
        return engine.run([*this, "check"], isolated=True, timeout=_CHECK)


def _load() -> float:
    """How many processes want to run, for each processor."""
    # Windows does not know how busy it is.
    return float(getattr(os, "getloadavg", lambda: (0.0,))()[0]) / (os.cpu_count() or 1)


def _start(it: Container) -> str:
    """The start times in words. Raises Slow if the health check succeeds too late."""
    ready, healthy = it.start_times()
    figures = f"ready after {ready:.2f} s, healthy {healthy - ready:.2f} s later"
    if healthy - ready <= _MOST_HEALTHY_AFTER_READY:
        return figures
    if (load := _load()) > _BUSY:
        return f"{figures} (not judged: {load:.0f} processes want each processor)"
    raise Slow(figures)


def _ready_line(it: Container, *flags: str) -> str:
    (line,) = (line for line in it.log(*flags).splitlines() if "outlook-emulator ready " in line)
    return line


def _instant(text: str) -> float:
    """Seconds since 1970 of an instant as Docker writes it, with nanoseconds."""
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp() + float(f"0.{text[20:].rstrip('Z') or 0}")


def _fetch(path: str, body: object = None, method: str = "GET") -> Any:
    """Send a request that must succeed to what compose serves; returns the JSON of the response."""
    # The token that the files of compose set. The connector takes any.
    status, content = client.fetch(method, _COMPOSED + path, body, token="local")
    if not 200 <= status < 300:
        raise Wrong(f"{method} {path} gave {status} {content.decode(errors='replace')}")
    return json.loads(content or b"null")


def _pip_secrets(folder: Path) -> list[str]:
    """The flags that give pip in the build the index and the CA of this machine, if it has any of its own."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    values = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        values[name.rpartition(".")[2]] = value.strip("'")
    lines, flags = ["[global]"], []
    if index := values.get("index-url"):
        lines.append(f"index-url = {index}")
    if ca := values.get("cert"):
        lines.append("cert = /run/secrets/ca.pem")
        copy = folder / "ca.pem"
        copy.write_bytes(Path(ca).read_bytes())
        flags.append(f"--secret=id=ca.pem,src={copy}")
    if len(lines) > 1:
        (folder / "pip.conf").write_text("\n".join(lines) + "\n")
        flags.append(f"--secret=id=pip.conf,src={folder / 'pip.conf'}")
    return flags


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    help = "only this step; `prepare` makes the engine of --debian in --folder, and builds the image"
    parser.add_argument("step", nargs="?", choices=["prepare", "build", "check"], help=help)
    parser.add_argument("--python-image", default="", help="base of the image (default: that of the Dockerfile)")
    parser.add_argument("--debian", action="store_true", help="use an engine made of Debian's packages")
    parser.add_argument("--folder", type=Path, help="keep this engine in a folder, for later runs (default: a new one)")
    arguments = parser.parse_args()
    if (arguments.step == "prepare") > (arguments.debian and arguments.folder is not None):
        parser.error("prepare needs --debian and --folder")
    if arguments.debian:
        return with_debian(arguments.folder, only_prepare=arguments.step == "prepare")
    status = build(arguments.python_image) if arguments.step != "check" else 0
    return status or (check() if arguments.step != "build" else 0)


if __name__ == "__main__":
    raise SystemExit(main())
