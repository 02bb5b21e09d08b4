"""The command `contract`: checks an emulator or a real connection against the specification."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from outlook_emulator.cli import recordings
from outlook_emulator.options import options_of


def add(commands: Any) -> None:
    from outlook_contract.options import ENVIRONMENT_PREFIX, TargetOptions
    from outlook_contract.suite import groups

    about = "check a target against the connector's specification"
    command = commands.add_parser("contract", help=about, description=about)
    names = ", ".join(groups())
    command.add_argument(
        "checks",
        nargs="*",
        metavar="CHECKS",
        help=f"groups of checks (default: all): {names}; or `replay FILE`: compare the responses of a target "
        "with those in a HAR file; or `from-journal`: write the distinct requests to a running emulator to a HAR "
        "file; or `probe [PROBES]`: put open questions, such as P6, to the target",
    )
    for option in options_of(TargetOptions):
        recordings.add_target_option(command, option, ENVIRONMENT_PREFIX)
    command.add_argument(
        "-k",
        dest="keyword",
        default="",
        metavar="TEXT",
        help="run only checks whose names match, such as `reply and not V1`",
    )
    command.add_argument(
        "--json", dest="json_file", default="", metavar="FILE", help="file to write counts and drift to, as JSON"
    )
    command.add_argument(
        "--junit",
        dest="junit_file",
        default="",
        metavar="FILE",
        help="file to write the results of the checks to, as JUnit XML",
    )
    journal = command.add_argument_group("options of from-journal and probe")
    journal.add_argument("--sandbox", default="default", help="name of the sandbox of from-journal (default: default)")
    journal.add_argument(
        "--out", default="", metavar="FILE", help="file to write: of from-journal a HAR file, of probe the answers"
    )
    recordings.add_keep_text(journal)
    probes = command.add_argument_group("options of probe")
    probes.add_argument("--list", dest="lists", action="store_true", help="show the questions; asks nothing")
    probes.add_argument(
        "--compare",
        default="",
        metavar="FILE",
        help="show how the answers in a file differ from the emulator's; asks nothing",
    )
    probes.add_argument(
        "--heavy",
        action="store_true",
        help="also what sends hundreds of requests, runs into a limit or waits long; an emulator is always asked that",
    )
    command.set_defaults(run=run, usage_error=command.error)


def run(arguments: argparse.Namespace) -> int:
    action, *operands = arguments.checks or [""]
    if action == "probe":
        return _probe(arguments, operands)
    if arguments.lists or arguments.compare or arguments.heavy:
        arguments.usage_error("--list, --compare and --heavy are options of probe")
    if action in _RECORDINGS:
        if len(operands) != (action == "replay"):
            arguments.usage_error("replay takes one HAR file" if action == "replay" else f"{action} takes no files")
        return _RECORDINGS[action](arguments)
    try:
        # The checks need packages of their own, which a plain installation lacks.
        from outlook_contract import cli
        from outlook_contract.targets import TargetError, from_environment
    except ModuleNotFoundError as error:
        return recordings.fail_without(error)
    try:
        options = from_environment(recordings.target_options(arguments))
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


def _probe(arguments: argparse.Namespace, names: list[str]) -> int:
    """Ask probes, list them, or compare their answers."""
    try:
        from outlook_contract.probes import command
        from outlook_contract.probes.answers import AnswersError
        from outlook_contract.targets import TargetError, from_environment
    except ModuleNotFoundError as error:
        return recordings.fail_without(error)
    try:
        if arguments.lists:
            return command.listing(names)
        if arguments.compare:
            return command.compare(Path(arguments.compare), names)
        options = from_environment(recordings.target_options(arguments))
        file = Path(arguments.out) if arguments.out else None
        return command.run(options, names=names, file=file, heavy=arguments.heavy)
    except (TargetError, AnswersError) as error:
        print(f"outlook-emulator: {error}", file=sys.stderr)
        return 2


_RECORDINGS = {"replay": recordings.replay, "from-journal": recordings.from_journal}
