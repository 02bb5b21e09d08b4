"""The command `mail`: wait for one."""

from __future__ import annotations

import argparse
import json
from typing import Any

from emulator.cli import asking


def add(commands: Any) -> None:
    mail = commands.add_parser("mail", help="wait for a mail")
    wait = mail.add_subparsers(title="actions", metavar="ACTION", required=True).add_parser(
        "wait", help="print a mail as soon as it is there, the newest where there are several"
    )
    wait.add_argument("--connection", required=True, help="connection id of the mailbox")
    wait.add_argument("--subject", help="what its subject holds")
    wait.add_argument("--from", dest="sender", help="its sender's address")
    wait.add_argument("--timeout", type=float, default=10, help="seconds to wait at most (default: 10)")
    asking.options(wait)
    wait.set_defaults(run=wait_for_mail)


def wait_for_mail(given: argparse.Namespace) -> int:
    order = {
        "connection": given.connection,
        "subject": given.subject,
        "from": given.sender,
        "timeoutSeconds": given.timeout,
    }
    status, content = asking.ask(given, "POST", asking.within(given, "wait"), order)
    if status == 200:
        content = json.dumps(json.loads(content)["value"][-1], ensure_ascii=False).encode()
    return asking.report(given, (status, content))
