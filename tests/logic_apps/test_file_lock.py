"""One process at a time changes the files of a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from outlook_emulator.logic_apps import connections
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.file_lock import locked

if sys.platform == "win32":
    pytest.skip("the locks of POSIX are checked", allow_module_level=True)
else:
    import fcntl
    import os

URL = "http://127.0.0.1:4365"
CONTENT = """{"managedApiConnections": {"outlook": {
  "api": {"id": "/x/managedApis/outlook"}, "connectionRuntimeUrl": "https://old.test/apim/outlook/1"}}}"""


def is_locked(folder: Path) -> bool:
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


def test_lock(tmp_path: Path) -> None:
    """A folder is locked as long as the block runs, also if it ends with an error."""
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with pytest.raises(PatchError), locked(tmp_path):
        raise PatchError
    assert not is_locked(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that does not exist is no error of the lock."""
    with locked(tmp_path / "none"):
        pass


@pytest.mark.parametrize(
    "act",
    [
        lambda file: connections.patch(file, "http://other.test"),
        lambda file: connections.add(file, "new", f"{URL}/apim/outlook/new"),
        lambda file: connections.status(file, URL),
        lambda file: connections.restore(file),
    ],
    ids=["patch", "add", "status", "restore"],
)
def test_all_wait_for_the_lock(tmp_path: Path, act: Callable[[Path], object]) -> None:
    """Whatever reads and writes the files of a project waits until no other process does."""
    file = tmp_path / "connections.json"
    file.write_text(CONTENT)
    connections.patch(file, URL)
    thread = Thread(target=act, args=[file])
    with locked(tmp_path):
        before = file.read_bytes()
        thread.start()
        thread.join(0.2)
        assert (True, before) == (thread.is_alive(), file.read_bytes())
    thread.join(30)
    assert not thread.is_alive()
