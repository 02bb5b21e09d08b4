"""The emulator as a test sees it: plain objects over its admin API, behind the pytest fixtures and usable without them.

with Server.started() as server:
    ada = server.connect("ada")
    ada.deliver(subject="Hello")
    assert ada.mails()[0]["Subject"] == "Hello"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlook_emulator.testing.admin import Refused
    from outlook_emulator.testing.clock import Clock
    from outlook_emulator.testing.connection import Connection
    from outlook_emulator.testing.faults import Faults
    from outlook_emulator.testing.journal import Journal
    from outlook_emulator.testing.outbox import Outbox
    from outlook_emulator.testing.sandbox import Sandbox
    from outlook_emulator.testing.server import Server
    from outlook_emulator.testing.snapshots import Snapshots

__all__ = ["Clock", "Connection", "Faults", "Journal", "Outbox", "Refused", "Sandbox", "Server", "Snapshots"]

_HOMES = {
    "Clock": "clock",
    "Connection": "connection",
    "Faults": "faults",
    "Journal": "journal",
    "Outbox": "outbox",
    "Refused": "admin",
    "Sandbox": "sandbox",
    "Server": "server",
    "Snapshots": "snapshots",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that whoever has the pytest plugin loaded and never uses it does not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'outlook_emulator.testing' has no attribute {name!r}")
    return getattr(import_module(f"outlook_emulator.testing.{_HOMES[name]}"), name)
