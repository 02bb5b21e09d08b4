"""A sandbox as its test holds it: the mailboxes in it, and what is done to the world behind the connector."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from outlook_emulator.testing.admin import Refused, below, given
from outlook_emulator.testing.clock import Clock
from outlook_emulator.testing.connection import Connection
from outlook_emulator.testing.faults import Faults
from outlook_emulator.testing.journal import Journal
from outlook_emulator.testing.outbox import Outbox
from outlook_emulator.testing.snapshots import Snapshots

if TYPE_CHECKING:
    from outlook_emulator.testing.server import Server


_WAIT = frozenset(
    {
        "kind",
        "subject",
        "sender",
        "recipient",
        "connection",
        "folder",
        "text",
        "newer_than",
        "url",
        "reference",
        "count",
    }
)


class Sandbox:
    """One world on a server: its own mailboxes, clock, faults and journal. Lives until it is closed, which deletes it.

    `admin` makes calls to the admin API below the sandbox, for what has no method here. What `closing` holds ends with
    the sandbox.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.closing = ExitStack()
        self.admin = server.admin(below("sandboxes", name))
        self.closing.callback(self.admin.close)
        self.clock = Clock(self.admin)
        self.faults = Faults(self.admin)
        self.outbox = Outbox(self.admin)
        self.journal = Journal(self.admin)
        self.snapshots = Snapshots(self.admin)

    def __repr__(self) -> str:
        return f"<Sandbox {self.name} at {self.server.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(
        self,
        name: str | None = None,
        address: str | None = None,
        *,
        seed: str | None = None,
        display_name: str | None = None,
        send_as: list[str] | None = None,
        mails: list[dict[str, Any]] | None = None,
    ) -> Connection:
        """Add a mailbox, and the connection that opens it. Raises Refused and TypeError.

        `name` is the end of the connection's id, and of an address that is not given the beginning. `mails` are those
        it starts with. With `seed` it is a sample mailbox, which brings its own address, display name and mails.
        """
        if seed is not None:
            _check_seed(address=address, display_name=display_name, send_as=send_as, mails=mails)
            return self._load_sample(seed, name or seed)
        order = connection_order(self.name, name or "me", address, display_name, send_as, mails)
        return self.connection(self.admin.ask("POST", "/connections", json=order))

    def connection(self, order: dict[str, Any]) -> Connection:
        """The connection that an order has made."""
        return Connection(self, order["id"], order["address"])

    def wait(self, *, timeout: float = 10, **order: Any) -> list[dict[str, Any]]:
        """What came, at the latest after `timeout` seconds. Raises AssertionError, with the near misses.

        The order is one to the admin API's `wait`: `kind` (mail, event, callback or poke), `subject`, `sender`,
        `recipient`, `connection`, `folder`, `text`, `newer_than`, `url`, `reference`, `count`. Raises Refused and
        TypeError for one that says nothing.
        """
        if unknown := sorted(order.keys() - _WAIT):
            raise TypeError(f"nothing is waited for by {unknown[0]!r}; known are {', '.join(sorted(_WAIT))}")
        asked = given({**order, "from": order.get("sender"), "sender": None, "timeout_seconds": timeout})
        try:
            found: list[dict[str, Any]] = self.admin.ask("POST", "/wait", json=asked, timeout=timeout + 10)["value"]
        except Refused as error:
            if error.status != 408:
                raise
            misses = [f"  nearly: {one}" for one in error.body.get("nearMisses", ())]
            raise AssertionError("\n".join([str(error), *misses])) from None
        return found

    def answer(self, option: str, *, subject: str = "") -> dict[str, Any]:
        """Answer the newest open approval mail or mail with options that has a text in its subject, as a click would.

        Gives the question as the admin API has it. Raises AssertionError where nothing is open, and Refused.
        """
        everything = self.admin.ask("GET", "/questions")["value"]
        waiting = [one for one in everything if one["answer"] is None and not one["withdrawn"]]
        found = [one for one in waiting if subject.casefold() in one["subject"].casefold()]
        if not found:
            shown = [one["subject"] for one in waiting]
            raise AssertionError(f"No open question has {subject!r} in its subject; open are {shown}.")
        path = below("questions", found[-1]["id"], "answer")
        answered: dict[str, Any] = self.admin.ask("POST", path, json={"option": option})
        return answered

    def limits(self, **changes: Any) -> dict[str, Any]:
        """The connector's own limits here, after `changes` such as `calls=5`; 0 switches one off. Raises Refused."""
        found: dict[str, Any] = (
            self.admin.ask("PATCH", "/limits", json=given(changes)) if changes else self.admin.ask("GET", "/limits")
        )
        return found

    def close(self) -> None:
        """Delete the sandbox; nothing where that has happened already."""
        if self.admin.http.is_closed:
            return
        with self.closing:
            try:
                self.admin.ask("DELETE")
            except Refused as error:
                if error.status != 404:
                    raise

    def _load_sample(self, seed: str, name: str) -> Connection:
        facts = self.admin.ask("POST", "/seed", json={"name": seed, "connection": f"{self.name}-{name}"})
        return self.connection(facts)


def connection_order(
    sandbox: str,
    name: str,
    address: str | None = None,
    display_name: str | None = None,
    send_as: list[str] | None = None,
    mails: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """What the admin API is told to add a connection. Its id holds the sandbox's name, as ids are a server's own."""
    order = {"id": f"{sandbox}-{name}", "address": address or f"{name}@example.com"}
    return order | given({"display_name": display_name, "send_as": send_as, "mails": mails})


def _check_seed(**own: Any) -> None:
    if told := [name for name, value in own.items() if value is not None]:
        raise TypeError(f"a sample mailbox brings its own {' and '.join(told)}")
