"""The emulator as tests use it: plain Python objects, behind the pytest fixtures and usable without pytest.

with Server.started() as server:
    ada = server.connect("ada")
    ada.deliver(subject="Hello")
    assert ada.mails()[0]["Subject"] == "Hello"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlook_emulator.testing.admin import AdminError
    from outlook_emulator.testing.callbacks import Callbacks
    from outlook_emulator.testing.clock import Clock
    from outlook_emulator.testing.faults import Faults
    from outlook_emulator.testing.fixture_types import MakeOutlook, OutlookAnswer
    from outlook_emulator.testing.journal import Journal
    from outlook_emulator.testing.outbox import Outbox
    from outlook_emulator.testing.sandbox import Connection, Sandbox
    from outlook_emulator.testing.server import Server
    from outlook_emulator.testing.snapshots import Snapshots

__all__ = [
    "AdminError",
    "Callbacks",
    "Clock",
    "Connection",
    "Faults",
    "Journal",
    "MakeOutlook",
    "Outbox",
    "OutlookAnswer",
    "Sandbox",
    "Server",
    "Snapshots",
]

_MODULES = {
    "AdminError": "admin",
    "Callbacks": "callbacks",
    "Clock": "clock",
    "Connection": "sandbox",
    "Faults": "faults",
    "Journal": "journal",
    "MakeOutlook": "fixture_types",
    "Outbox": "outbox",
    "OutlookAnswer": "fixture_types",
    "Sandbox": "sandbox",
    "Server": "server",
    "Snapshots": "snapshots",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that the pytest plugin costs nothing in a run that does not use it.
    if name not in _MODULES:
        raise AttributeError(f"module 'outlook_emulator.testing' has no attribute {name!r}")
    return getattr(import_module(f"outlook_emulator.testing.{_MODULES[name]}"), name)
