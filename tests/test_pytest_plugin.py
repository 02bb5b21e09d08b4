"""The pytest plugin, run as a user runs it: pytest in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Connection, Listener, World

TEST = """
def test_answer(outlook_answer):
    question = outlook_answer({option!r}, subject="budget", sandbox={sandbox!r})
    assert question["answer"] == {option!r}
"""


def run(folder: Path, world: World, option: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TEST.format(option=option, sandbox=world.name))
    environment = {**os.environ, "OUTLOOK_EMULATOR_URL": world.server.url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "emulator.pytest_plugin", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_a_waiting_mail_is_answered(
    tmp_path: Path, world: World, alice: Connection, bob: Connection, listener: Listener
) -> None:
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})

    done = run(tmp_path, world, "Yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert listener.wait()[0].body == b'{"SelectedOption":"Yes"}'


@pytest.mark.parametrize(
    ("subject", "said"), [("The Budget", "The emulator answered 400"), ("Other", "No open question")]
)
def test_what_cannot_be_answered_fails_the_test(
    tmp_path: Path, world: World, alice: Connection, bob: Connection, listener: Listener, subject: str, said: str
) -> None:
    message = {"To": bob.address, "Subject": subject, "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})

    done = run(tmp_path, world, "Perhaps")

    assert done.returncode == 1
    assert said in done.stdout
    assert listener.heard == []
