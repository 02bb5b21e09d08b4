"""The command `outlook-emulator`. Each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from emulator.settings import Settings, options

_URL = "OUTLOOK_EMULATOR_URL"
_PATIENCE = 10.0
"""Seconds after which a server that does not answer is taken to be none."""
_LONGEST_WAIT = 60.0
"""Seconds that the admin API lets a caller wait for something."""
_CLOCK: dict[str, dict[str, Any]] = {"freeze": {"freeze": True}, "follow": {"freeze": False}}
"""What the admin API is told for each thing to do to a clock that needs no value."""
_SHELVES = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""What each kind of file goes into: its name in the admin API, and the one that every mailbox has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 failed, 2 misused."""
    parser = _parser()
    given = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] | None = getattr(given, "run", None)
    if run is None:
        parser.print_help()
        return 2
    try:
        return run(given)
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outlook-emulator", description="A local double of Microsoft's Outlook.com connector."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _serve_command(commands)
    operations = commands.add_parser("operations", help="show which operations of the connector are served")
    operations.add_argument("--json", action="store_true", help="as JSON")
    operations.set_defaults(run=_operations)
    swagger = commands.add_parser("swagger", help="print the connector's Swagger 2.0 document")
    swagger.set_defaults(run=_swagger)
    _client_commands(commands)
    return parser


def _serve_command(commands: Any) -> None:
    serve = commands.add_parser("serve", help="run the emulator")
    for option in options():
        serve.add_argument(
            option.flag,
            dest=option.name,
            metavar=option.name.upper(),
            help=f"{option.help} (default {option.default!r}; ${option.variable})".replace("%", "%%"),
            **({"nargs": "?", "const": "yes"} if option.is_switch else {}),
        )
    serve.set_defaults(run=_serve)


def _client_commands(commands: Any) -> None:
    url = {"default": server_url(), "help": f"a running emulator (${_URL})"}
    health = commands.add_parser("health", help="tell whether a running emulator answers")
    health.add_argument("--url", **url)
    health.set_defaults(run=_health)
    seed = commands.add_parser("seed", help="load a sample mailbox into a running emulator")
    seed.add_argument("name", help="a sample's name")
    seed.add_argument("--connection", default="", help="connection id to load it under (default: its name)")
    seed.add_argument("--sandbox", default="default")
    seed.add_argument("--url", **url)
    seed.set_defaults(run=_seed)
    bring = commands.add_parser("import", help="bring a file of events (.ics) or contacts (.vcf) into a mailbox")
    bring.add_argument("file", help="the file")
    _place(bring, url)
    bring.set_defaults(run=_import)
    carry = commands.add_parser("export", help="print a calendar (ics) or a contact folder (vcf) of a mailbox")
    carry.add_argument("format", choices=sorted(_SHELVES), help="which of the two")
    _place(carry, url)
    carry.set_defaults(run=_export)
    mail = commands.add_parser("mail", help="wait for a mail")
    wait = mail.add_subparsers(title="actions", metavar="ACTION", required=True).add_parser(
        "wait", help="print a mail as soon as it is there, the newest where there are several"
    )
    wait.add_argument("--connection", required=True, help="connection id of the mailbox")
    wait.add_argument("--subject", help="what its subject holds")
    wait.add_argument("--from", dest="sender", help="its sender's address")
    wait.add_argument("--timeout", type=float, default=10, help="seconds to wait at most (default: 10)")
    wait.add_argument("--sandbox", default="default")
    wait.add_argument("--url", **url)
    wait.set_defaults(run=_wait)
    clock = commands.add_parser("clock", help="show, move, freeze or release the clock of a sandbox")
    clock.add_argument("action", nargs="?", default="show", choices=("show", "advance", "set", *_CLOCK))
    clock.add_argument("value", nargs="?", help="to advance: a duration, as 1h30m or PT90M; to set: an ISO instant")
    clock.add_argument("--sandbox", default="default")
    clock.add_argument("--url", **url)
    clock.set_defaults(run=_clock, misused=clock.error)
    reset = commands.add_parser("reset", help="start a sandbox over: keep connections, reload samples, drop the rest")
    reset.add_argument("--sandbox", default="default")
    reset.add_argument("--url", **url)
    reset.set_defaults(run=_reset)


def _place(command: Any, url: dict[str, str]) -> None:
    command.add_argument("--connection", required=True, help="connection id of the mailbox")
    command.add_argument("--folder", default="", help="calendar or contact folder (default: the one every mailbox has)")
    command.add_argument("--sandbox", default="default")
    command.add_argument("--url", **url)


def server_url() -> str:
    """The emulator this environment means: the one `OUTLOOK_EMULATOR_URL` names, or one on this machine."""
    return os.environ.get(_URL) or _local()


def _local() -> str:
    """Where a server with this environment's settings listens on this machine."""
    (port,) = (option for option in options() if option.name == "port")
    return f"http://127.0.0.1:{os.environ.get(port.variable, port.default)}"


def _serve(given: argparse.Namespace) -> int:
    from emulator.serving import serve

    try:
        base = asdict(Settings.from_environment())
        for option in options():
            if (text := getattr(given, option.name)) is not None:
                base[option.name] = option.read(text)
        return serve(Settings(**base))
    except (ValueError, OSError) as error:
        return _fail(str(error))


def _operations(given: argparse.Namespace) -> int:
    from emulator.operations import OPERATIONS
    from emulator.operations.coverage import coverage

    rows = coverage(OPERATIONS)
    if given.json:
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        versions = ",".join(f"V{version}" for version in row["versions"])
        served = "served" if row["served"] else "not served"
        print(f"{row['id']:{width}}  {row['method']:6}  {versions:8}  {served:10}  {row['path']}")
    print(f"{sum(row['served'] for row in rows)} of {len(rows)} operations served")
    return 0


def _swagger(given: argparse.Namespace) -> int:
    from emulator.operations import OPERATIONS
    from emulator.server.document import swagger

    print(json.dumps(swagger(OPERATIONS), indent=1))
    return 0


def _health(given: argparse.Namespace) -> int:
    status, text = call("GET", f"{given.url}/readyz")
    return 0 if status == 200 else _fail(f"{given.url} does not answer: {text}")


def _seed(given: argparse.Namespace) -> int:
    order = {"name": given.name, "connection": given.connection or None}
    return _report(given, call("POST", f"{_sandbox(given)}/seed", order))


def _reset(given: argparse.Namespace) -> int:
    return _report(given, call("POST", f"{_sandbox(given)}/reset"))


def _clock(given: argparse.Namespace) -> int:
    moves = given.action in ("advance", "set")
    if moves != (given.value is not None):
        given.misused(f"{given.action} takes {'a' if moves else 'no'} value")
    url = f"{_sandbox(given)}/clock"
    if given.action == "show":
        return _report(given, call("GET", url))
    return _report(given, call("POST", url, _CLOCK.get(given.action) or {given.action: given.value}))


def _wait(given: argparse.Namespace) -> int:
    order = {
        "connection": given.connection,
        "subject": given.subject,
        "from": given.sender,
        "timeoutSeconds": given.timeout,
    }
    status, text = call("POST", f"{_sandbox(given)}/wait", order, _LONGEST_WAIT + _PATIENCE)
    if status == 200:
        text = json.dumps(json.loads(text)["value"][-1], ensure_ascii=False)
    return _report(given, (status, text))


def _import(given: argparse.Namespace) -> int:
    from pathlib import Path

    suffix = Path(given.file).suffix.lower().removeprefix(".")
    if suffix not in _SHELVES:
        return _fail(f"{given.file} ends neither in .ics nor in .vcf")
    try:
        content = Path(given.file).read_bytes()
    except OSError as error:
        return _fail(f"{given.file} cannot be read: {error.strerror}")
    return _report(given, call("POST", f"{_shelf(given, suffix)}/import", content))


def _export(given: argparse.Namespace) -> int:
    return _report(given, call("GET", f"{_shelf(given, given.format)}/export"))


def _shelf(given: argparse.Namespace, format: str) -> str:
    from urllib.parse import quote

    kind, default = _SHELVES[format]
    connection, folder = (quote(part, safe="") for part in (given.connection, given.folder or default))
    return f"{_sandbox(given)}/connections/{connection}/{kind}/{folder}"


def _sandbox(given: argparse.Namespace) -> str:
    from urllib.parse import quote

    return f"{given.url}/_emulator/api/sandboxes/{quote(given.sandbox, safe='')}"


def _report(given: argparse.Namespace, answer: tuple[int, str]) -> int:
    status, text = answer
    if 200 <= status < 300:
        print(text)
        return 0
    if status == 0:
        return _fail(f"{given.url} does not answer: {text}")
    with suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"].partition("\r\n")[0]
    return _fail(text)


def call(method: str, url: str, body: object = None, patience: float = _PATIENCE) -> tuple[int, str]:
    """One request to a running emulator: status and text, status 0 when nobody answers in `patience` seconds."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    scheme, separator, rest = url.partition("://")
    url = scheme + separator + rest.replace("//", "/")
    try:
        request = Request(url, data, {"Content-Type": "application/json"}, method=method)
        # Never through a proxy: it would not find what listens on this machine's loopback.
        with build_opener(ProxyHandler({})).open(request, timeout=patience) as answer:
            return int(answer.status), answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except (HTTPException, OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error)) or type(error).__name__


def _fail(text: str) -> int:
    print(f"outlook-emulator: {' '.join(text.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
