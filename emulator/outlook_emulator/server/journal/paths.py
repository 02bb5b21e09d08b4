"""The paths of recorded exchanges. Apart from their shapes, which the connector does not need."""

from __future__ import annotations

from outlook_emulator.server.connector.routes import PREFIX
from outlook_emulator.traffic.call_facts import path_below
from outlook_emulator.traffic.journal import ExchangeEntry


def path_of(entry: ExchangeEntry) -> str:
    """The path of an exchange as a match sees it."""
    return path_below(entry.raw_path, PREFIX, entry.about.has_connection)
