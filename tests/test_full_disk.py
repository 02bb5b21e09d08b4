"""On a full disk, requests are refused with the reason and have no effect; with room again, everything works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.test_durability import Running, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs mounts and limits of Unix")]

API = "/_emulator/api"
BODY = "<p>" + "Hello " * 2000 + "</p>"
ROOM = 512 * 1024


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes in memory. Skips the test where this user may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up all room; returns the file that does."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as stream:
        for size in (64 * 1024, 4096, 1):
            try:
                while True:
                    stream.write(b"x" * size)
            except OSError:
                continue
    return file


def send(server: Running, subject: str) -> httpx.Response:
    order = {"To": "bob@outlook.com", "Subject": subject, "Body": BODY}
    return server.http.post("/apim/outlook/alice/v2/Mail", json=order)


def begin(server: Running) -> None:
    """Open both mailboxes, and send a first mail."""
    assert [] == server.mails("alice", "Inbox") == server.mails("bob", "Inbox")
    assert 200 == send(server, "before").status_code


def sent_until_full(server: Running) -> tuple[list[str], httpx.Response]:
    """Send mails until one is refused; returns the subjects of the others, and the refusal."""
    subjects: list[str] = []
    for number in range(1000):
        response = send(server, f"mail-{number}")
        if response.status_code != 200:
            return subjects, response
        subjects.append(f"mail-{number}")
    raise AssertionError("the disk never filled up")


def subjects(server: Running, connection: str, folder: str) -> list[str]:
    return sorted(mail["Subject"] for mail in server.mails(connection, folder))


def names(server: Running) -> set[str]:
    listed: list[dict[str, Any]] = server.http.get(f"{API}/sandboxes").json()["value"]
    return {row["name"] for row in listed}


def check_refusal(response: httpx.Response) -> None:
    """A refusal names the full disk in the connector's form."""
    body = response.json()
    assert (507, 507) == (response.status_code, body["status"])
    assert "InsufficientStorage" == body["error"]["code"]
    assert "full" in body["message"]
    assert "outlook-emulator.localhost" == body["source"]


def test_full_disk(tmp_path: Path) -> None:
    """Mails, snapshots, new sandboxes and moves of the clock are refused, and none is there after a restart."""
    with small_disk(tmp_path / "disk", 12 << 20) as disk:
        with serving(disk) as server:
            begin(server)
            server.http.put(f"{API}/sandboxes/default/snapshots/before").raise_for_status()
            server.http.post(f"{API}/sandboxes/default/clock", json={"freeze": True}).raise_for_status()
            clock = server.http.get(f"{API}/sandboxes/default/clock").json()["now"]
            filler = fill(disk)
            # The log of the database may have room left.
            stored, refusal = sent_until_full(server)
            check_refusal(refusal)
            check_refusal(server.http.put(f"{API}/sandboxes/default/snapshots/late"))
            check_refusal(server.http.post(f"{API}/sandboxes", json={"name": "late", "connections": [{"id": "late"}]}))
            check_refusal(server.http.post(f"{API}/sandboxes/default/clock", json={"advance": "1h"}))
            expected = sorted(["before", *stored])
            assert clock == server.http.get(f"{API}/sandboxes/default/clock").json()["now"]
            assert expected == subjects(server, "alice", "Sent Items") == subjects(server, "bob", "Inbox")
            assert {"default"} == names(server)
            filler.unlink()
            assert 200 == send(server, "after").status_code
            server.http.post(f"{API}/sandboxes", json={"name": "late", "connections": [{"id": "late"}]})
            server.http.post(f"{API}/sandboxes/default/clock", json={"advance": "1h"}).raise_for_status()
            server.kill()
        with serving(disk) as server:
            expected = sorted([*expected, "after"])
            assert expected == subjects(server, "alice", "Sent Items") == subjects(server, "bob", "Inbox")
            assert {"default", "late"} == names(server)
            listed = server.http.get(f"{API}/sandboxes/default/snapshots").json()["value"]
            assert ["before"] == [snapshot["name"] for snapshot in listed]
            assert not list(disk.rglob("*.part"))


def test_killed_on_a_full_disk(tmp_path: Path) -> None:
    """A sandbox that was refused on a full disk is not there after a kill, and the data of others is."""
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        with serving(disk) as server:
            begin(server)
            filler = fill(disk)
            with filler.open("r+b") as stream:
                stream.truncate(filler.stat().st_size - ROOM)
            # There is room for its file, but not for what comes into it.
            mails = [{"from": "x@example.org", "subject": str(number), "html": BODY} for number in range(100)]
            order = {"name": "half", "connections": [{"id": "half", "mails": mails}]}
            check_refusal(server.http.post(f"{API}/sandboxes", json=order))
            server.kill()
        filler.unlink()
        with serving(disk) as server:
            assert {"default"} == names(server)
            assert ["before"] == subjects(server, "alice", "Sent Items")


def test_limit_of_file_sizes(tmp_path: Path) -> None:
    """Beyond the limit on the size of files, writes are refused with the reason, and reads go on."""
    limits = f"ulimit -f {1 << 10}; exec {sys.executable} -m outlook_emulator serve --port 0 --data {tmp_path}"
    with subprocess.Popen(["bash", "-c", limits], stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().partition("url=")[2].split()[0]
        try:
            with httpx.Client(base_url=url, headers={"Authorization": "Bearer token"}) as http:
                server = Running(process, http)
                begin(server)
                stored, refusal = sent_until_full(server)
                # A database that is too large stays so.
                again = send(server, "again")

                assert [507, 507] == [refusal.status_code, again.status_code]
                assert "file" in refusal.json()["message"]
                assert (
                    sorted(["before", *stored])
                    == subjects(server, "alice", "Sent Items")
                    == subjects(server, "bob", "Inbox")
                )
        finally:
            process.kill()
