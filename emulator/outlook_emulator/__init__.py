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

    __version__: str

__all__ = ["Sandbox", "Settings", "VirtualClock", "__version__", "create_app", "running"]

_DISTRIBUTION = "outlook-connector-emulator"
_MODULES = {
    "create_app": "outlook_emulator.app",
    "running": "outlook_emulator.serving",
    "Sandbox": "outlook_emulator.sandbox.sandbox",
    "Settings": "outlook_emulator.settings",
    "VirtualClock": "outlook_emulator.clock",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `outlook-emulator --help`, `health` and the pytest plugin do not import the server.
    if name == "__version__":
        return _version()
    if name not in _MODULES:
        raise AttributeError(f"module 'outlook_emulator' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        # The package runs from its source folder, without having been installed.
        return "unknown"
