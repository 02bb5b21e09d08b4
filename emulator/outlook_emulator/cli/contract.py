"""The command `contract`: checks an emulator or a real connection against the specification."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from outlook_emulator.cli import output
from outlook_emulator.options import Option, options_of

_INSTALL = "pip install 'outlook-connector-emulator[contract]'"


def add(commands: Any) -> None:
    from outlook_contract.options import ENVIRONMENT_PREFIX, TargetOptions

    about = "check a target against the connector's specification"
    command = commands.add_parser("contract", help=about, description=about)
    command.add_argument("checks", nargs="*", metavar="CHECKS", help="groups of checks, such as mail (default: all)")
    for option in options_of(TargetOptions):
        _add(command, option, ENVIRONMENT_PREFIX)
    command.add_argument("-k", dest="keyword", default="", metavar="TEXT", help="run only checks whose names match")
    command.add_argument("--json", dest="json_file", default="", metavar="FILE", help="write the drift as JSON")
    command.add_argument("--junit", dest="junit_file", default="", metavar="FILE", help="write results as JUnit XML")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from outlook_contract.options import TargetOptions

    try:
        # The checks need packages of their own, which a plain installation lacks.
        from outlook_contract import cli
        from outlook_contract.targets import TargetError, from_environment
    except ModuleNotFoundError as error:
        output.fail(f"contract needs the package {error.name}: {_INSTALL}")
        return 2
    values = {option.name: getattr(arguments, option.name) for option in options_of(TargetOptions)}
    try:
        options = from_environment(TargetOptions(**values))
        return cli.run(
            options,
            selected=arguments.checks,
            json_file=arguments.json_file,
            junit_file=arguments.junit_file,
            keyword=arguments.keyword,
        )
    except TargetError as error:
        print(f"outlook-emulator: {error}", file=sys.stderr)
        return 2


def _add(command: argparse.ArgumentParser, option: Option, prefix: str) -> None:
    help = option.help.replace("%", "%%")
    if option.type is bool:
        command.add_argument(option.flag, dest=option.name, action="store_true", help=help)
        return
    command.add_argument(
        option.flag,
        dest=option.name,
        default=option.default,
        type=option.type,
        choices=option.choices or None,
        metavar=None if option.choices else option.metavar,
        help=f"{help} (${prefix}{option.name.upper()})",
    )
