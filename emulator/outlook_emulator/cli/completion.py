"""The command `completion`, and what a shell asks for when it completes words; needs the extra `completion`."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import output

_SHELLS = ("bash", "zsh", "fish", "powershell")
_PROGRAM = "outlook-emulator"


def add(commands: Any) -> None:
    about = f'print a script that completes words in a shell, for example: eval "$({_PROGRAM} completion bash)"'
    command = commands.add_parser("completion", help=about, description=about)
    command.add_argument("shell", choices=_SHELLS, help="the shell")
    command.set_defaults(run=print_script)


def print_script(arguments: argparse.Namespace) -> int:
    try:
        from argcomplete import shell_integration
    except ImportError:
        return output.fail("completion needs an extra: pip install 'outlook-connector-emulator[completion]'")
    # zsh reads the script for bash.
    print(shell_integration.shellcode([_PROGRAM], shell={"zsh": "bash"}.get(arguments.shell, arguments.shell)))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the completions that a shell asks for, and exit; do nothing without the extra."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)
