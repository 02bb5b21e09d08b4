"""Measures how long a new user waits for the first mail: from a fresh clone or the wheel, installation included.

`python -m tools.first_mail [WAY ...]` prints the seconds of each way, and fails if one takes longer than a minute. The
image and compose are measured by `python -m tools.check_image`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from outlook_emulator import client
from outlook_emulator.settings import ENVIRONMENT_PREFIX

ROOT = Path(__file__).parents[1]
_GOAL, _TIMEOUT = 60.0, 600.0
"""Seconds. After the timeout, a way has failed."""
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
# Nothing of this environment's, but the package index that it uses.
_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith((ENVIRONMENT_PREFIX, "PYTHON", "VIRTUAL_ENV"))
}
_TEST = """
def test_a_mail_arrives(outlook, make_outlook):
    bob = make_outlook("bob")
    outlook.http.post("/v2/Mail", json={"To": bob.address, "Subject": "Hi", "Body": "Hi"}).raise_for_status()
    assert [mail["Subject"] for mail in bob.mails()] == ["Hi"]
"""


class Failed(Exception):
    """A way did not lead to a mail."""


class Machine:
    """A folder that has nothing installed: a clone of the repository, and the wheel as a user downloads it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder, self.clone, self.wheel = folder, folder / "clone", wheel
        run(folder, "git", "clone", "--quiet", str(ROOT), "clone")

    def install(self, *packages: str) -> Path:
        """Install the wheel and packages into a new environment; returns the folder of its commands."""
        run(self.folder, sys.executable, "-m", "venv", "venv")
        commands = self.folder / "venv" / _SCRIPTS
        run(self.folder, str(commands / "pip"), "install", "--quiet", str(self.wheel), *packages)
        return commands


def run(folder: Path, *command: str) -> None:
    """Run a command. Raises Failed unless it succeeds."""
    # On Windows, npm is a script that only a whole path starts.
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, timeout=_TIMEOUT
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def serve_mail(folder: Path, *command: str) -> None:
    """Start a server on a free port with a command, and send a mail from one mailbox to another."""
    environment = _ENVIRONMENT | {f"{ENVIRONMENT_PREFIX}PORT": "0"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if line.startswith("outlook-emulator ready ")), "")
            if not line:
                raise Failed(f"{' '.join(command)} ended before it was ready")
            _send(f"{client.ready_facts(line)['url']}/apim/outlook")
        finally:
            process.terminate()


def _send(runtime_urls: str) -> None:
    mail = {"To": "bob@outlook.com", "Subject": "Hi", "Body": "Hi"}
    for method, connection, body in (("POST", "ann", mail), ("GET", "bob", None)):
        status, content = client.fetch(method, f"{runtime_urls}/{connection}/v2/Mail", body, token="anything")
        if status != 200:
            raise Failed(f"{method} gave {status} {content.decode(errors='replace')}")
    if b'"Subject":"Hi"' not in content:
        raise Failed(f"the mail did not arrive: {content.decode(errors='replace')}")


def make_run(machine: Machine) -> None:
    serve_mail(machine.clone, "make", "run")


def pip_install(machine: Machine) -> None:
    serve_mail(machine.folder, str(machine.install() / "outlook-emulator"), "serve")


def exec_pytest(machine: Machine) -> None:
    commands = machine.install("pytest")
    (machine.folder / "test_mail.py").write_text(_TEST, encoding="utf-8")
    run(machine.folder, str(commands / "outlook-emulator"), "exec", "--", str(commands / "pytest"), "test_mail.py")


def exec_npm_test(machine: Machine) -> None:
    commands = machine.install()
    run(machine.clone / "examples" / "node", str(commands / "outlook-emulator"), "exec", "--", "npm", "test")


def java_main(machine: Machine) -> None:
    commands = machine.install()
    folder = machine.clone / "examples" / "java"
    run(folder, "javac", "-d", "out", *(str(path) for path in folder.glob("src/*.java")))
    program = ("java", "-cp", "out", "Main", "bob@outlook.com", "Hi", "Hi")
    run(folder, str(commands / "outlook-emulator"), "exec", "--", *program)


WAYS: dict[str, tuple[str, Callable[[Machine], None]]] = {
    "make-run": ("make", make_run),
    "pip-install": ("git", pip_install),
    "exec-pytest": ("git", exec_pytest),
    "exec-npm-test": ("npm", exec_npm_test),
    "java-main": ("javac", java_main),
}
"""Each way to a first mail, with the tool that it needs."""


def main() -> int:
    """Measure the ways that the command line names, by default all; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"one of {', '.join(WAYS)}; all by default")
    names = parser.parse_args().ways or list(WAYS)
    if unknown := set(names) - set(WAYS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="first-mail-", ignore_cleanup_errors=True) as folder:
        run(ROOT, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(ROOT))
        (wheel,) = Path(folder).glob("*.whl")
        results = [_measure(name, Path(folder) / name, wheel) for name in names]
    return 0 if all(results) else 1


def _measure(name: str, folder: Path, wheel: Path) -> bool:
    tool, way = WAYS[name]
    if shutil.which(tool) is None:
        print(f"{name}: not measured, {tool} is not installed", flush=True)
        return True
    folder.mkdir()
    machine = Machine(folder, wheel)
    start = time.monotonic()
    try:
        way(machine)
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"{name}: failed: {error}", flush=True)
        return False
    seconds = time.monotonic() - start
    print(f"{name}: {seconds:.1f} s{'' if seconds <= _GOAL else f', longer than {_GOAL:g} s'}", flush=True)
    return seconds <= _GOAL


if __name__ == "__main__":
    sys.exit(main())
