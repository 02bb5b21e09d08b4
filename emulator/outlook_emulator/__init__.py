"""A local, stateful double of Microsoft's Outlook.com connector."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlook_emulator.app import create_app
    from outlook_emulator.clock import VirtualClock
    from outlook_emulator.sandbox.sandbox import Sandbox
    from outlook_emulator.serving import running
    from outlook_emulator.settings import Settings

__all__ = ["Sandbox", "Settings", "VirtualClock", "create_app", "running"]

_HOMES = {
    "create_app": "outlook_emulator.app",
    "running": "outlook_emulator.serving",
    "Sandbox": "outlook_emulator.sandbox.sandbox",
    "Settings": "outlook_emulator.settings",
    "VirtualClock": "outlook_emulator.clock",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `outlook-emulator --help` and `health` do not pay for the server.
    if name not in _HOMES:
        raise AttributeError(f"module 'emulator' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
