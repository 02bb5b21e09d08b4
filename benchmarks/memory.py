"""What sandboxes, mails and steady use take in memory.

`python -m benchmarks.memory [MAILS] [SECONDS]` prints the memory of an empty sandbox, of many mails before and after
their first search, and how much a server grows while it sends, polls and deletes for some seconds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx

from outlook_emulator.serving import Running, running
from outlook_emulator.settings import Settings

_ME = "/apim/outlook/me"
_SANDBOXES = 200


def memory() -> float:
    """The resident memory of this process, in KiB."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def main(mails: int = 10_000, seconds: int = 20) -> None:
    for part in (_sandboxes, partial(_mails, count=mails), partial(_steady, seconds=seconds)):
        # In a process of its own: what one part leaves free would hide what the next one takes.
        process = get_context("spawn").Process(target=_measure, args=(part,))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def _measure(part: Callable[[Running, httpx.Client], None]) -> None:
    # Small, so that what is bounded reaches its bound.
    settings = Settings(max_calls=0, journal_entries=200, change_feed_entries=1000)
    with (
        running(settings) as served,
        httpx.Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False, timeout=600) as http,
    ):
        part(served, http)


def _sandboxes(served: Running, http: httpx.Client) -> None:
    def create(number: int) -> None:
        order = {"name": f"s{number}", "connections": [{"id": f"c{number}"}]}
        http.post("/_emulator/api/sandboxes", json=order).raise_for_status()

    # What the first one imports is no part of it.
    create(_SANDBOXES)

    def create_all() -> None:
        for number in range(_SANDBOXES):
            create(number)

    def use_all() -> None:
        for number in range(_SANDBOXES):
            http.get(f"/apim/outlook/c{number}/v2/Mail").raise_for_status()

    unused = _grown(create_all)
    print(f"an empty sandbox: {unused / _SANDBOXES:.0f} KiB, {(unused + _grown(use_all)) / _SANDBOXES:.0f} KiB in use")


def _mails(served: Running, http: httpx.Client, count: int) -> None:
    from outlook_emulator.mailbox.mail import delivery
    from outlook_emulator.mailbox.message import Address, Mail

    http.get(f"{_ME}/testconnection").raise_for_status()
    sandbox, owner = served.app.state.sandboxes.find("me")
    mailbox = sandbox.mailbox(owner)

    def deliver() -> None:
        for start in range(0, count, 1000):
            with mailbox.db.transaction():
                for number in range(start, min(start + 1000, count)):
                    body = " ".join(f"word{(number + place) % 5000}" for place in range(60))
                    mail = Mail(sender=Address("a@b.c", ""), to=(Address(owner.address, ""),), subject="Hi", body=body)
                    delivery.deliver(mailbox, mail)

    # What the first mail imports is no part of it.
    http.get(f"{_ME}/v2/Mail?searchQuery=none").raise_for_status()
    stored = _grown(deliver)
    searched = _grown(lambda: http.get(f"{_ME}/v2/Mail?fetchOnlyUnread=false&searchQuery=word7").raise_for_status())
    print(f"{count} mails: {stored / 1024:.0f} MiB, {(stored + searched) / 1024:.0f} MiB after the first search")


def _steady(served: Running, http: httpx.Client, seconds: int) -> None:
    location, rounds = http.get(f"{_ME}/v2/Mail/OnNewEmail").headers["location"], 0

    def use() -> None:
        nonlocal location
        body = {"To": "me@outlook.com", "Subject": "Hello", "Body": "Hello " * 100}
        http.post(f"{_ME}/v2/Mail", json=body).raise_for_status()
        answer = http.get(location)
        location = answer.headers.get("location", location)
        for folder in ("Inbox", "SentItems", "DeletedItems"):
            # Two, as a deleted mail of Inbox and Sent Items goes to Deleted Items.
            query: dict[str, Any] = {"folderPath": folder, "fetchOnlyUnread": False, "top": 2}
            for mail in http.get(f"{_ME}/v2/Mail", params=query).json()["value"]:
                http.delete(f"{_ME}/Mail/{mail['Id']}").raise_for_status()

    def run() -> None:
        nonlocal rounds
        end = time.monotonic() + seconds / 2
        while time.monotonic() < end:
            use()
            rounds += 1

    run()
    grown = _grown(run)
    print(f"steady use: {grown:.0f} KiB in the second half of {rounds} rounds")


def _grown(work: Callable[[], Any]) -> float:
    before = memory()
    work()
    return memory() - before


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
