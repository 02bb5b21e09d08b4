"""A server that remembers what it served answers as a server that starts on the same data."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import httpx

from outlook_emulator.clock import VirtualClock
from outlook_emulator.recent import Recent
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import START

ADMIN, HERE = "/_emulator/api/sandboxes/default", "/apim/outlook"
CONNECTIONS = ("a", "b", "again")
"""The third one is of the mailbox of the first."""
FOLDERS = ("Inbox", "Sent Items", "Archive", "Deleted Items")


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    settings = Settings(data=str(folder), random_seed=5, max_calls=0)
    with (
        running(settings, VirtualClock(START)) as server,
        httpx.Client(base_url=server.url, headers={"Authorization": "Bearer x"}, trust_env=False, timeout=30) as client,
    ):
        yield client


def forget() -> None:
    """Clear what the process remembers, as for a server in a process of its own."""
    for thing in gc.get_objects():
        if isinstance(thing, Recent):
            thing.clear()


def copy(source: Path, target: Path) -> None:
    target.mkdir()
    file = "default.sqlite"
    with closing(sqlite3.connect(source / file)) as old, closing(sqlite3.connect(target / file)) as new:
        old.backup(new)


def mails(client: httpx.Client, connection: str, folder: str) -> list[str]:
    query = {"folderPath": folder, "fetchOnlyUnread": "false", "top": "25"}
    listed = client.get(f"{HERE}/{connection}/v2/Mail", params=query)
    return [mail["Id"] for mail in listed.json()["value"]] if listed.is_success else []


def change(client: httpx.Client, random: Random) -> httpx.Response | None:
    """Do one thing to a mail, send one, or go back to a snapshot."""
    base = f"{HERE}/{(connection := random.choice(CONNECTIONS))}"
    kind = random.choice(["send", "send", "send", "move", "flag", "read", "delete", "reply", "save", "restore"])
    if kind == "send":
        people = ";".join(random.sample(["a@outlook.com", "b@outlook.com", "c@example.com"], 2))
        return client.post(f"{base}/v2/Mail", json={"To": people, "Subject": "hi", "Body": random.choice("xyz")})
    if kind == "save":
        return client.put(f"{ADMIN}/snapshots/s")
    if kind == "restore":
        return client.post(f"{ADMIN}/snapshots/s/restore")
    ids = mails(client, connection, random.choice(FOLDERS))
    if not ids:
        return None
    id = random.choice(ids)
    if kind == "delete":
        return client.delete(f"{base}/Mail/{id}")
    if kind == "reply":
        return client.post(f"{base}/v3/Mail/ReplyTo/{id}", json={"Body": "re"})
    path = {"move": f"Move/{id}?folderPath=Archive", "flag": f"Flag/{id}", "read": f"MarkAsRead/{id}"}[kind]
    return client.post(f"{base}/Mail/{path}")


def answers(client: httpx.Client) -> dict[str, tuple[int, bytes]]:
    """What the lists and the mails in them are, byte by byte."""
    paths = []
    for connection in CONNECTIONS:
        base = f"{HERE}/{connection}"
        for folder in FOLDERS:
            for version in ("", "/v2"):
                for query in ("", "&fetchOnlyUnread=false&top=25", "&fetchOnlyUnread=false&searchQuery=x"):
                    paths.append(f"{base}{version}/Mail?folderPath={folder}{query}")
            paths += [f"{base}/Mail/{id}" for id in mails(client, connection, folder)]
    responses = {path: client.get(path) for path in paths}
    return {
        path: (response.status_code, response.content) for path, response in responses.items() if response.is_success
    }


def test_warm_and_fresh(tmp_path: Path) -> None:
    """After each group of changes, all lists are the same."""
    random = Random(7)
    with served(tmp_path / "warm") as warm:
        for id, address in (("a", "a"), ("b", "b"), ("again", "a")):
            warm.post(f"{ADMIN}/connections", json={"id": id, "address": f"{address}@outlook.com"}).raise_for_status()
        changed = 0
        for number in range(2):
            for _ in range(25):
                answer = change(warm, random)
                changed += answer is not None and answer.is_success
            answers(warm)
            remembered = answers(warm)
            copy(tmp_path / "warm", tmp_path / str(number))
            forget()
            with served(tmp_path / str(number)) as fresh:
                assert answers(fresh) == remembered
            assert len(remembered) > 10
    assert changed > 25
