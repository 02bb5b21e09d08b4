"""The parts that the parsers of the commands have in common."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

from outlook_emulator import client
from outlook_emulator.options import Option

Run = Callable[[argparse.Namespace], int]
"""Runs a command with its parsed arguments; returns the exit code."""


class Parser(argparse.ArgumentParser):
    """A parser of a command, whose words may stand before and after its flags; `-5m` is a value."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # No flag begins with a digit. argparse has no public way to say so.
        self._negative_number_matcher = re.compile(r"-[0-9]")
        self._is_intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words and flags in any order. By itself, argparse ends the words at the first flag."""
        # The inner parsing comes here again. A command with actions leaves its words to them.
        if self._is_intermixed or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._is_intermixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_intermixed = False


class OneCommand:
    """Stands for the subparsers of the command line: adds the parser of one command, and leaves out all others."""

    def __init__(self, commands: Any, name: str) -> None:
        self._commands = commands
        self._name = name

    def add_parser(self, name: str, **options: Any) -> Any:
        return self._commands.add_parser(name, **options) if name == self._name else _LeftOut()


class _LeftOut:
    """Stands for the parser of a command that is left out: each of its methods does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: self


def add_group(commands: Any, name: str, help: str) -> Any:
    """Add a command that has actions; `add_command` adds each of them to the result."""
    return commands.add_parser(name, help=help, description=help).add_subparsers(
        title="actions", metavar="ACTION", required=True
    )


def add_command(commands: Any, name: str, help: str, run: Run, *, sandbox: bool = True) -> argparse.ArgumentParser:
    """Add a command, or an action of one, that sends a request to a running emulator."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    add_server_options(command, sandbox=sandbox)
    command.add_argument("--json", action="store_true", help="print the response body as JSON, if there is one")
    command.set_defaults(run=run, usage_error=command.error)
    return command


def add_server_options(command: argparse.ArgumentParser, *, sandbox: bool = True) -> None:
    """Add the options that select an emulator and, unless `sandbox` is false, one of its sandboxes."""
    if sandbox:
        command.add_argument("--sandbox", default="default", help="name of the sandbox (default: default)")
    about = f"URL of a running emulator (${client.URL}); repeat for several, of which the one with the sandbox is asked"
    command.add_argument("--url", action=_Url, default=client.server_url(), help=about)
    command.add_argument("--token", help=f"admin token of the emulator (${client.TOKEN})")
    command.add_argument("--ca-file", metavar="PEM", help=f"CA certificates to trust for https (${client.CA_FILE})")


class _Url(argparse.Action):
    """Collects the URLs of several servers in `urls`; `url` is the first."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        namespace.urls = [*getattr(namespace, "urls", ()), values]
        namespace.url = namespace.urls[0]


def add_strict(command: argparse.ArgumentParser) -> None:
    """Add the flag of an import that takes a file whole or not at all."""
    about = "refuse a file of which a part would be left out"
    command.add_argument("--strict", action="store_true", help=about)


def add_option(group: Any, option: Option, destination: str, **keywords: Any) -> None:
    """Add the argument of a declared option; `keywords` replace what `add_argument` would get."""
    if not option.flag.startswith("--"):
        group.add_argument(destination, nargs="?", metavar=option.flag, help=option.help)
        return
    group.add_argument(option.flag, dest=destination, **(_keywords(option) | keywords))


def help_of(option: Option) -> str:
    """What an option means, with its default if it has one."""
    has_default = isinstance(option.default, str | int | float) and option.default not in ("", False)
    return f"{option.help} (default: {option.default})" if has_default else option.help


def pair(text: str, flag: str) -> tuple[str, str]:
    """The two sides of `NAME=VALUE`. Raises ValueError that names the flag."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise ValueError(f"{flag} takes NAME=VALUE, not '{text}'")
    return name, value


def _keywords(option: Option) -> dict[str, Any]:
    # argparse takes a single percent sign for a format.
    keywords: dict[str, Any] = {"help": help_of(option).replace("%", "%%")}
    if option.type is bool:
        # None rather than False: an option that is not given is left out of the request.
        return {**keywords, "action": "store_true", "default": None}
    if option.choices:
        keywords["choices"] = option.choices
    else:
        keywords["metavar"] = "NAME=VALUE" if option.is_mapping else option.metavar
    if option.is_list or option.is_mapping:
        keywords["action"] = "append"
        keywords["help"] += "; repeat for several"
    if option.item is int:
        keywords["type"] = _numbers
    elif option.type in (int, float):
        keywords["type"] = option.type
    return keywords


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers, split by commas, not '{text}'") from None
