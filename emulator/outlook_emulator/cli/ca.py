"""The command `ca`: print the certificate that clients must trust for https, or how to make a system trust it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from outlook_emulator.cli import output


def add(commands: Any) -> None:
    about = "print the certificate that clients must trust for https; make the certificate authority at first use"
    command = commands.add_parser("ca", help=about, description=about)
    show = command.add_mutually_exclusive_group()
    show.add_argument("--path", action="store_true", help="print the path of the certificate instead")
    show.add_argument("--hints", action="store_true", help="print how programs and this system come to trust it")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from outlook_emulator import certificates
    from outlook_emulator.settings import Settings

    try:
        settings = Settings.from_environment()
        file = certificates.ensure_authority(certificates.folder(settings.ca_folder))
    except (ValueError, OSError) as error:
        return output.fail(str(error))
    if arguments.path:
        print(file)
    elif arguments.hints:
        print(certificates.hints(file, sys.platform))
    else:
        print(file.read_text(encoding="utf-8"), end="")
    return 0
