"""A local, stateful double of Microsoft's Outlook.com connector."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.app import create_app
    from emulator.clock import VirtualClock
    from emulator.sandbox import Sandbox
    from emulator.serving import running
    from emulator.settings import Settings

__all__ = ["Sandbox", "Settings", "VirtualClock", "create_app", "running"]

_HOMES = {
    "create_app": "emulator.app",
    "running": "emulator.serving",
    "Sandbox": "emulator.sandbox",
    "Settings": "emulator.settings",
    "VirtualClock": "emulator.clock",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `outlook-emulator --help` and `health` do not pay for the server.
    if name not in _HOMES:
        raise AttributeError(f"module 'emulator' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
