"""The command `record`, and the actions of `contract` and `journal` that read and write recordings."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlook_emulator import client
from outlook_emulator.cli import output, progress, request
from outlook_emulator.options import Option, options_of

if TYPE_CHECKING:
    from outlook_contract.options import TargetOptions

_INSTALL = "pip install 'outlook-connector-emulator[contract]'"
_OF_RECORD: Mapping[str, str] = {
    "target": "URL of the target, or `real`: the connection in `--connection`",
    "connection": "",
    "key": "connection key, which the proxy adds; without one, callers send their own credential",
    "bearer": "bearer token, which the proxy adds",
    "azure_identity": "",
    "address": "mail address of the mailbox, to be known as `mailbox1@example.com` in the file",
    "partner_address": "mail address of the second mailbox that callers use",
    "ca_file": "",
}
"""The options of a target that a recording needs, and their help where it differs."""
_LAST_PORT = 65535
_LOOK = 0.5
"""Seconds between two looks at how many requests are recorded."""


def add(commands: Any) -> None:
    from outlook_contract.options import ENVIRONMENT_PREFIX, TargetOptions

    about = "record what callers do at a target, as a HAR file: a proxy that they use as their runtime URL"
    command = commands.add_parser("record", help=about, description=about)
    for option in options_of(TargetOptions):
        if option.name in _OF_RECORD:
            add_target_option(command, option, ENVIRONMENT_PREFIX, _OF_RECORD[option.name])
    command.add_argument("--out", required=True, metavar="FILE", help="HAR file to write, without secrets")
    add_keep_text(command)
    command.add_argument("--port", type=int, default=0, metavar="N", help="port to listen on (default: a free one)")
    command.set_defaults(run=record)


def record(arguments: argparse.Namespace) -> int:
    from outlook_contract.options import TargetOptions

    try:
        from outlook_contract.interrupts import stopped_by
        from outlook_contract.record import recording
        from outlook_contract.targets import TargetError, authorization_of, from_environment
    except ModuleNotFoundError as error:
        return fail_without(error)
    options = from_environment(TargetOptions(**{name: getattr(arguments, name) for name in _OF_RECORD}))
    stop = threading.Event()
    try:
        if not 0 <= arguments.port <= _LAST_PORT:
            raise TargetError(f"--port must be from 0 to {_LAST_PORT}, not {arguments.port}.")
        target = options.connection if options.target == "real" else options.target
        if "://" not in target:
            raise TargetError("record needs --target with a URL, or --target real with a connection.")
        verify: Any = client.trusting(options.ca_file) if options.ca_file else True
        authorization = authorization_of(options)
        with (
            recording(
                target,
                Path(arguments.out),
                port=arguments.port,
                addresses=[options.address, options.partner_address],
                authorization=authorization,
                verify=verify,
                keep_text=arguments.keep_text,
            ) as (url, har),
            stopped_by(lambda number, frame: stop.set()),
        ):
            print(f"outlook-emulator recording url={url} file={arguments.out}", flush=True)
            with progress.shown("recording", "requests") as shown:
                while not stop.wait(_LOOK):
                    shown.count(har.count)
    except TargetError as error:
        print(f"outlook-emulator: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        return output.fail(str(error))
    print(f"recorded {output.count(har.count, 'request')}")
    return 0


def replay(arguments: argparse.Namespace) -> int:
    """Compare the responses of a target with recorded ones."""
    try:
        from outlook_contract import cli
        from outlook_contract.har import HarError
        from outlook_contract.replay import ReplayError
        from outlook_contract.targets import TargetError, from_environment
    except ModuleNotFoundError as error:
        return fail_without(error)
    try:
        options = from_environment(target_options(arguments))
        shown = progress.shown("playing", "requests")
        return cli.replay(options, Path(arguments.checks[1]), json_file=arguments.json_file, shown=shown)
    except (TargetError, HarError, ReplayError) as error:
        print(f"outlook-emulator: {error}", file=sys.stderr)
        return 2


def from_journal(arguments: argparse.Namespace) -> int:
    """Write the distinct requests in a journal."""
    if not arguments.out:
        arguments.usage_error("from-journal needs --out FILE")
    arguments.url = client.server_url() if arguments.target == "emulator" else arguments.target
    arguments.token = arguments.admin_token or None
    arguments.ca_file = arguments.ca_file or None
    return _written(arguments, Path(arguments.out), only_distinct=True)


def export(arguments: argparse.Namespace, file: Path) -> int:
    """Write all requests in a journal."""
    return _written(arguments, file, only_distinct=False)


def target_options(arguments: argparse.Namespace) -> TargetOptions:
    """The options of a target among the arguments of a command. Raises TargetError or ValueError."""
    from outlook_contract.options import TargetOptions

    return TargetOptions(**{option.name: getattr(arguments, option.name) for option in options_of(TargetOptions)})


def fail_without(error: ModuleNotFoundError) -> int:
    """Say that a command needs the extra `contract`; returns the exit code."""
    output.fail(f"this command needs the package {error.name}: {_INSTALL}")
    return 2


def add_keep_text(command: Any) -> None:
    """Add the argument that leaves texts in a recording."""
    command.add_argument(
        "--keep-text",
        action="store_true",
        help="keep the words of subjects, bodies and names, and the content of files, which are replaced otherwise",
    )


def add_target_option(command: argparse.ArgumentParser, option: Option, prefix: str, help: str = "") -> None:
    """Add the argument of an option of a target, with the option's help unless there is another one."""
    default = f"default: {option.default}, " if option.default not in ("", False) else ""
    text = f"{help or option.help} ({default}${prefix}{option.name.upper()})".replace("%", "%%")
    if option.type is bool:
        command.add_argument(option.flag, dest=option.name, action="store_true", help=text)
        return
    command.add_argument(
        option.flag,
        dest=option.name,
        default=option.default,
        type=option.type,
        choices=option.choices or None,
        metavar=None if option.choices else option.metavar,
        help=text,
    )


def _written(arguments: argparse.Namespace, file: Path, *, only_distinct: bool) -> int:
    try:
        from outlook_contract import journal
    except ModuleNotFoundError as error:
        return fail_without(error)
    try:
        with progress.shown("reading the journal", "entries") as shown:
            get = _get(arguments, shown)
            export = journal.export(get, file, only_distinct=only_distinct, keep_text=arguments.keep_text)
    except _NoAnswer as error:
        return output.print_error(arguments, error.response)
    except OSError as error:
        return output.fail(f"cannot write {file}: {error.strerror or error}")
    print(f"wrote {output.count(export.written, 'request')} of {export.total} to {file}")
    if export.cut:
        print(f"the journal has cut the body of {export.cut}: start the server with a larger --journal-body-bytes")
    return 0


class _NoAnswer(Exception):
    """The admin API did not answer with a success."""

    def __init__(self, response: tuple[int, bytes]) -> None:
        super().__init__()
        self.response = response


def _get(arguments: argparse.Namespace, shown: progress.Progress) -> Callable[[str], Any]:
    read = 0

    def get(path: str) -> Any:
        nonlocal read
        response = request.send(arguments, "GET", f"{request.sandbox_path(arguments)}/{path}")
        if not 200 <= response[0] < 300:
            raise _NoAnswer(response)
        content = json.loads(response[1])
        read += len(content["value"])
        shown.count(read)
        return content

    return get
