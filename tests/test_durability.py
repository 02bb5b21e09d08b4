"""With a data folder, every acknowledged request survives `kill -9`, and no request is stored in part."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.slow

KILLS = 8
RESTORE_KILLS = 3
OUTSIDER = "outsider@example.org"
PAGE = 1000
MAILS = 60
ACKNOWLEDGED = b"HTTP/1.1 200 "
ANSWERED = b"HTTP/1.1 2"


@dataclass
class Running:
    """A server in a process of its own, with alice and bob in its default sandbox."""

    process: subprocess.Popen[str]
    http: httpx.Client

    def send(self, subject: str) -> None:
        """Send a mail from alice to bob and to an address outside; the server must accept it."""
        order = {"To": f"bob@outlook.com;{OUTSIDER}", "Subject": subject, "Body": "<p>Hello</p>"}
        assert self.http.post("/apim/outlook/alice/v2/Mail", json=order).status_code == 200

    def mails(self, connection: str, folder: str) -> list[dict[str, Any]]:
        """All mails of a folder."""
        mails: list[dict[str, Any]] = []
        while True:
            query: dict[str, Any] = {"folderPath": folder, "fetchOnlyUnread": False, "top": PAGE, "skip": len(mails)}
            page = self.http.get(f"/apim/outlook/{connection}/Mail", params=query).json()
            mails += page
            if len(page) < PAGE:
                return mails

    def outbox(self) -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = self.http.get("/_emulator/api/sandboxes/default/outbox").json()["value"]
        return mails

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(data: Path) -> Iterator[Running]:
    """A server on a data folder, ready to respond. It is killed at the end if it still runs."""
    command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            url = ready.partition("url=")[2].split()[0]
            with httpx.Client(base_url=url, headers={"Authorization": "Bearer token"}, verify=False) as http:
                yield Running(process, http)
        finally:
            process.kill()


def snapshot(method: str, path: str) -> bytes:
    """A request about the snapshots of the default sandbox, as bytes."""
    line = f"{method} /_emulator/api/sandboxes/default/snapshots/{path} HTTP/1.1"
    return f"{line}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()


def subjects(mails: list[dict[str, Any]], key: str = "Subject") -> Counter[str]:
    return Counter(mail[key] for mail in mails)


def request(name: str, number: int) -> bytes:
    """A request that sends a mail from alice to bob and to an address outside, as bytes."""
    body = json.dumps({"To": f"bob@outlook.com;{OUTSIDER}", "Subject": f"{name}-{number}", "Body": "<p>Hello</p>"})
    head = "POST /apim/outlook/alice/v2/Mail HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def stream(server: Running, name: str, stop_after: int) -> list[str]:
    """Send mails without a pause, kill the server after some responses, and return the acknowledged subjects.

    All requests are sent before the first response is read, so that the kill interrupts the server at work.
    """
    requests = [request(name, number) for number in range(MAILS)]
    return [f"{name}-{number}" for number in range(killed_after(server, requests, stop_after).count(ACKNOWLEDGED))]


def killed_after(server: Running, requests: list[bytes], answered: int) -> bytes:
    """Send requests without a pause, kill the server after some responses, and return all bytes it sent."""
    address = server.http.base_url.host, server.http.base_url.port
    answers = b""
    with socket.create_connection(address) as wire:
        wire.sendall(b"".join(requests))
        while answers.count(ANSWERED) < answered and (part := wire.recv(65536)):
            answers += part
        server.kill()
        # Responses from before the kill are still in the socket's buffer.
        with suppress(ConnectionResetError):
            while part := wire.recv(65536):
                answers += part
    return answers


def check(server: Running, data: Path, acknowledged: list[str]) -> None:
    """Every acknowledged mail is in each of its three folders once; a mail in one of them is in all."""
    sent, inbox, outbox = server.mails("alice", "Sent Items"), server.mails("bob", "Inbox"), server.outbox()
    with closing(sqlite3.connect(f"file:{data / 'default.sqlite'}?mode=ro", uri=True)) as file:
        verdict = file.execute("PRAGMA integrity_check").fetchall()

    assert [("ok",)] == verdict
    assert subjects(sent) == subjects(inbox) == subjects(outbox, "subject")
    assert len(sent) == len(subjects(sent))
    assert set(acknowledged) <= subjects(sent).keys()
    assert (
        len(sent) == len({mail["InternetMessageId"] for mail in sent}) == len({mail["ConversationId"] for mail in sent})
    )
    assert len(sent) + len(inbox) == len({mail["Id"] for mail in (*sent, *inbox)})


@pytest.mark.long
def test_killed_in_a_stream_of_sends(tmp_path: Path) -> None:
    """A server that is killed while it accepts mails has every acknowledged mail after the restart."""
    acknowledged: list[str] = []
    for kill in range(KILLS):
        with serving(tmp_path) as server:
            check(server, tmp_path, acknowledged)
            acknowledged += stream(server, f"round-{kill}", 1 + kill * 7 % 23)
    with serving(tmp_path) as server:
        check(server, tmp_path, acknowledged)


@pytest.mark.long
def test_killed_in_a_stream_of_restores(tmp_path: Path) -> None:
    """A server that is killed during a restore has the state from before it or the whole snapshot."""
    kept = [f"kept-{number}" for number in range(MAILS)]
    with serving(tmp_path) as server:
        for subject in kept:
            server.send(subject)
        server.http.put("/_emulator/api/sandboxes/default/snapshots/one").raise_for_status()
    requests = [
        order for number in range(MAILS) for order in (request("dropped", number), snapshot("POST", "one/restore"))
    ]
    for kill in range(RESTORE_KILLS):
        with serving(tmp_path) as server:
            server.http.post("/_emulator/api/sandboxes/default/snapshots/one/restore").raise_for_status()
            answered = killed_after(server, requests, 1 + kill * 11 % 37).count(ANSWERED)
        with serving(tmp_path) as server:
            check(server, tmp_path, kept)
            more = subjects(server.mails("alice", "Sent Items")).keys() - {*kept}

        # At most one of the mails sent in between remains: the one sent after the last restore.
        assert more <= {f"dropped-{number}" for number in range(answered // 2, MAILS)}
        assert len(more) <= 1


@pytest.mark.long
def test_killed_in_a_stream_of_snapshots(tmp_path: Path) -> None:
    """An acknowledged snapshot exists after a kill, and every snapshot that exists can be restored."""
    known: set[str] = set()
    for kill in range(RESTORE_KILLS):
        requests = [
            order
            for number in range(MAILS)
            for order in (request(f"{kill}", number), snapshot("PUT", f"{kill}-{number}"))
        ]
        with serving(tmp_path) as server:
            answered = killed_after(server, requests, 2 + kill * 11 % 37).count(ANSWERED)
        known |= {f"{kill}-{number}" for number in range(answered // 2)}
        with serving(tmp_path) as server:
            listed = server.http.get("/_emulator/api/sandboxes/default/snapshots").json()["value"]
            last = next(row["name"] for row in reversed(listed) if row["name"].startswith(f"{kill}-"))
            server.http.post(f"/_emulator/api/sandboxes/default/snapshots/{last}/restore").raise_for_status()
            check(server, tmp_path, [last])

        assert known <= {row["name"] for row in listed}
        assert None not in {row["takenAt"] for row in listed}


def test_killed_at_its_start(tmp_path: Path) -> None:
    """A server that is killed as soon as it is ready leaves a folder that the next server can use."""
    with serving(tmp_path) as server:
        server.kill()
    with serving(tmp_path) as server:
        server.send("hello")

        assert ["hello"] == [mail["Subject"] for mail in server.mails("alice", "Sent Items")]


def test_ids_are_not_reused(tmp_path: Path) -> None:
    """Ids of deleted mails are not used again after a kill, nor are generated connection ids."""
    ids, connections = set(), set()
    for number in range(3):
        with serving(tmp_path) as server:
            server.send(str(number))
            (mail,) = server.mails("alice", "Sent Items")
            ids.add(mail["Id"])
            server.http.delete(f"/apim/outlook/alice/Mail/{mail['Id']}").raise_for_status()
            (deleted,) = server.mails("alice", "Deleted Items")
            ids.add(deleted["Id"])
            server.http.delete(f"/apim/outlook/alice/Mail/{deleted['Id']}").raise_for_status()
            response = server.http.post("/_emulator/api/sandboxes/default/connections")
            connections.add(response.raise_for_status().json()["id"])
            server.kill()

    assert (6, 3) == (len(ids), len(connections))


def test_stops_cleanly(tmp_path: Path) -> None:
    """On SIGTERM the server exits with 0 and prints nothing; the next server has all data, sandboxes included."""
    sandbox = {"name": "second", "connections": [{"id": "carol", "mails": [{"from": OUTSIDER, "subject": "Kept"}]}]}
    with serving(tmp_path) as server:
        server.send("hello")
        server.http.post("/_emulator/api/sandboxes", json=sandbox).raise_for_status()
        server.process.terminate()
        rest, _ = server.process.communicate()
        status = server.process.returncode
    with serving(tmp_path) as server:
        folders = [server.mails("alice", "Sent Items"), server.mails("carol", "Inbox")]

    assert (0, "") == (status, rest)
    assert [["hello"], ["Kept"]] == [[mail["Subject"] for mail in mails] for mails in folders]
