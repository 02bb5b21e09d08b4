"""The command `init`, and seed folders sent to a running emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.sandbox.samples import load
from outlook_emulator.settings import Settings
from outlook_emulator.testing import Server
from tests.conftest import Sandbox


def test_a_folder_to_begin_with(say: Callable[..., Any], tmp_path: Path) -> None:
    """`init` writes a folder that loads: a mail in the description, and a file of each kind."""
    folder = tmp_path / "a folder" / "my.box"
    status, out, error = say("init", str(folder))
    sample = load(str(folder))

    assert (0, f'wrote {folder}; load it with: outlook-emulator serve --seed "{folder}"\n', "") == (status, out, error)
    assert "my.box@example.com" == sample.address
    assert ["Invoice 17", "Welcome"] == [item.mail.subject for item in sample.mails]
    assert [b"item,price\ntea,3"] == [file.content for file in sample.mails[0].mail.attachments]
    assert [1, 1] == [len(sample.calendars["Calendar"]), len(sample.contacts["Contacts"])]


@pytest.mark.parametrize("name", ["my box", "b\u00fcro", ".hidden"])
def test_a_name_that_is_not_a_connection_id(say: Callable[..., Any], tmp_path: Path, name: str) -> None:
    """A folder is refused if its name cannot be the connection id that it becomes; nothing is written."""
    status, _, error = say("init", str(tmp_path / name))

    assert 1 == status
    assert error.startswith("outlook-emulator: the name of the folder becomes a connection id. A connection id has ")
    assert [] == list(tmp_path.iterdir())


def test_the_current_folder(say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is written as a dot has the name of the current one, also when it is loaded."""
    (tmp_path / "box").mkdir()
    monkeypatch.chdir(tmp_path / "box")
    say("init", ".")
    with Server.in_process(Settings(seed=".")) as server:
        value = server.admin("/sandboxes/default").request("GET", "/connections")["value"]

    assert "/apim/outlook/box\n" in Path("mailbox.toml").read_text()
    assert ["box"] == [connection["id"] for connection in value]


def test_nothing_is_overwritten(say: Callable[..., Any], tmp_path: Path) -> None:
    """A folder that has one of the files is left as it is."""
    (tmp_path / "mailbox.toml").write_text("mine")
    status, _, error = say("init", str(tmp_path))

    assert (1, f"outlook-emulator: {tmp_path / 'mailbox.toml'} exists already\n") == (status, error)
    assert ["mailbox.toml"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == (tmp_path / "mailbox.toml").read_text()


def test_a_path_that_cannot_be_written(say: Callable[..., Any], tmp_path: Path) -> None:
    """A folder that cannot be made is named in the error."""
    (tmp_path / "file").write_text("")
    status, _, error = say("init", str(tmp_path / "file" / "box"))

    assert 1 == status
    assert error.startswith(f"outlook-emulator: cannot write {tmp_path / 'file' / 'box'}: ")


def test_seed_a_running_emulator(say: Callable[..., Any], sandbox: Sandbox, tmp_path: Path) -> None:
    """`seed FOLDER` sends the folder, so that the emulator may run on another machine."""
    where = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    say("init", str(tmp_path / "box"))
    status, out, error = say("seed", str(tmp_path / "box"), "--connection", f"{sandbox.name}-box", *where)
    listed = say("mail", "list", "--connection", f"{sandbox.name}-box", *where)[1]

    assert (0, "") == (status, error)
    assert out.startswith(f"{sandbox.name}-box  box@example.com  ")
    assert all(subject in listed for subject in ("Invoice 17", "Welcome"))


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_seed_that_cannot_be_sent(
    say: Callable[..., Any], sandbox: Sandbox, tmp_path: Path, has_folder: bool
) -> None:
    """A folder without a description, or no folder at all, exits with 1 and what to do."""
    name = str(tmp_path) if has_folder else "nothing"
    status, _, error = say("seed", name, "--sandbox", sandbox.name, "--url", sandbox.server.url)

    assert 1 == status
    assert ("`outlook-emulator init` makes one" if has_folder else "Available: archive, empty, office") in error
