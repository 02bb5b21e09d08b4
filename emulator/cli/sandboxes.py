"""The commands `seed` and `reset`."""

from __future__ import annotations

import argparse
from typing import Any

from emulator.cli import asking


def add(commands: Any) -> None:
    seed = commands.add_parser("seed", help="load a sample mailbox into a running emulator")
    seed.add_argument("name", help="a sample's name")
    seed.add_argument("--connection", default="", help="connection id to load it under (default: its name)")
    asking.options(seed)
    seed.set_defaults(run=load_sample)
    reset = commands.add_parser("reset", help="start a sandbox over: keep connections, reload samples, drop the rest")
    asking.options(reset)
    reset.set_defaults(run=start_over)


def load_sample(given: argparse.Namespace) -> int:
    order = {"name": given.name, "connection": given.connection or None}
    return asking.report(given, asking.ask(given, "POST", asking.within(given, "seed"), order))


def start_over(given: argparse.Namespace) -> int:
    return asking.report(given, asking.ask(given, "POST", asking.within(given, "reset")))
