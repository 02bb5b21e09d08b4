"""Waits until matching items arrive in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlook_emulator.options import options_of
from outlook_emulator.testing.admin import Admin, AdminError
from outlook_emulator.traffic.wait_conditions import WaitConditions

_CONDITIONS = {
    "sender" if option.name == "from_" else option.name: option.member
    for option in options_of(WaitConditions)
    if option.name != "timeout_seconds"
}
"""The JSON member of each keyword."""


def wait_for(admin: Admin, timeout: float, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items that match. Raises AssertionError after the timeout, TypeError for an unknown condition, AdminError."""
    if unknown := sorted(conditions.keys() - _CONDITIONS.keys()):
        raise TypeError(f"wait() has no condition {unknown[0]!r}; it has {', '.join(sorted(_CONDITIONS))}")
    body = {_CONDITIONS[name]: value for name, value in conditions.items() if value is not None}
    body["timeoutSeconds"] = timeout
    try:
        # Ten seconds more: the server ends the wait, because only its response names the nearest misses.
        items: list[dict[str, Any]] = admin.request("POST", "/wait", json=body, timeout=timeout + 10)["value"]
    except AdminError as error:
        if error.status != 408:
            raise
        misses = [f"  nearest miss: {item}" for item in error.body.get("nearMisses", ())]
        raise AssertionError("\n".join([str(error), *misses])) from None
    return items
