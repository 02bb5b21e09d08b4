"""The command `serve`, and an option for each setting of a server."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from outlook_emulator.cli import output, progress
from outlook_emulator.settings import Setting, Settings, options


def add(commands: Any) -> None:
    command = commands.add_parser("serve", help="run the emulator")
    setting_options(command)
    command.set_defaults(run=serve)


def setting_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each setting of a server."""
    for option in options():
        alone: dict[str, Any] = {"nargs": "?", "const": "yes"} if option.is_switch else {}
        # No default: where a flag is missing, the variable of the environment counts.
        argument = command.add_argument(
            option.flag, dest=option.name, metavar=_metavar(option), help=_help(option).replace("%", "%%"), **alone
        )
        # Completion reads it. `choices` would let argparse refuse a value, in words that do not name the variable.
        argument.completer = lambda choices=option.choices, **_: choices  # type: ignore[attr-defined]


def _help(option: Setting) -> str:
    default = "" if option.default in ("", None) else f"default: {option.default}; "
    return f"{option.help} ({default}${option.variable})"


def _metavar(option: Setting) -> str:
    """What stands for the value of a setting in the help: its choices, or its name."""
    return f"{{{','.join(option.choices)}}}" if option.choices else option.name.upper()


def serve(arguments: argparse.Namespace) -> int:
    from outlook_emulator import serving
    from outlook_emulator.cli import request_log

    try:
        settings = settings_of(arguments)
        if settings.log == "requests" or (settings.log == "auto" and sys.stderr.isatty()):
            request_log.start()
        return serving.serve(settings, loading=progress.shown("loading the mailboxes"))
    except (ValueError, OSError) as error:
        return output.fail(str(error))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings of the environment and, over them, those of the flags. Raises ValueError."""
    values = asdict(Settings.from_environment())
    for option in options():
        if (text := getattr(arguments, option.name)) is not None:
            values[option.name] = option.read(text)
    return Settings(**values)
