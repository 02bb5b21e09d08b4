"""The requests that a sandbox sends to others, as a test reads and awaits them."""

from __future__ import annotations

from typing import Any

from outlook_emulator.testing.admin import Admin
from outlook_emulator.testing.waiting import wait_for


class Callbacks:
    """The callbacks of one sandbox: to subscribers, to senders of approval mails, and of push triggers."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def entries(self, *, kind: str = "", url: str = "", reference: str = "") -> list[dict[str, Any]]:
        """The callbacks of a kind, to a URL, and caused by the item with an id, oldest first; by default all."""
        entries: list[dict[str, Any]] = self._admin.request("GET", "/callbacks")["value"]
        wanted = {name: text for name, text in (("kind", kind), ("url", url), ("reference", reference)) if text}
        return [entry for entry in entries if all(entry[name] == text for name, text in wanted.items())]

    def wait(self, *, timeout: float = 10, until: str = "finished", **conditions: Any) -> list[dict[str, Any]]:
        """Wait up to `timeout` seconds for callbacks that are done: delivered, given up or cancelled.

        Conditions are `url`, `reference`, `text`, `newer_than` and `count`. A callback that fails is attempted again by
        the sandbox's clock. Raises as `Sandbox.wait` does.
        """
        return wait_for(self._admin, timeout, {"kind": "callback", "until": until, **conditions})
