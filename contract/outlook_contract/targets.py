"""Opens the target of a run: a new emulator in this process, a running one, or connections to the real service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from outlook_contract.options import ENVIRONMENT_PREFIX, TargetOptions
from outlook_contract.transport import Access
from outlook_emulator.options import Option, options_of

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_SCOPE = "https://apihub.azure.com/.default"
_OWN_PACE = 90
"""Calls a minute against a connection: well below the connector's 300, since others may use it too."""
_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0", ""})


class TargetError(Exception):
    """The options name no target that can be reached."""


class Party(NamedTuple):
    """One mailbox of a target. `address` is empty if nobody said it; `transport` makes a connection to it."""

    access: Access
    address: str
    transport: Callable[[], httpx.BaseTransport]


class Target(NamedTuple):
    """What a run checks. `partner` is a second mailbox, and `sandbox` the emulator's, with clock and faults."""

    name: str
    mailbox: Party
    partner: Party | None
    sandbox: Sandbox | None
    pace: int

    @property
    def is_emulator(self) -> bool:
        return self.sandbox is not None


def from_environment(options: TargetOptions, environment: Mapping[str, str] = os.environ) -> TargetOptions:
    """The options, with what they leave at its default taken from `OUTLOOK_CONTRACT_…` variables.

    Raises TargetError for a value that is not allowed.
    """
    values: dict[str, Any] = {}
    for declared in options_of(TargetOptions):
        variable = ENVIRONMENT_PREFIX + declared.name.upper()
        text = environment.get(variable)
        if text is not None and getattr(options, declared.name) == declared.default:
            values[declared.name] = _parsed(declared, variable, text)
    complete = replace(options, **values)
    for declared in options_of(TargetOptions):
        if problem := declared.problem(getattr(complete, declared.name)):
            raise TargetError(f"{declared.flag} {problem}.")
    return complete


def _parsed(declared: Option, variable: str, text: str) -> Any:
    if declared.type is bool:
        if text.lower() not in _YES | _NO:
            raise TargetError(f"{variable} must be yes or no, not '{text[:50]}'.")
        return text.lower() in _YES
    if declared.type is int:
        try:
            return int(text)
        except ValueError:
            raise TargetError(f"{variable} must be a whole number, not '{text[:50]}'.") from None
    return text


@contextmanager
def opened(options: TargetOptions) -> Iterator[Target]:
    """The target for as long as the block lasts. What was created for the run on an emulator is deleted at the end.

    Raises TargetError.
    """
    with ExitStack() as stack:
        if options.target == "real" or "/apim/" in options.target:
            yield _connections(options)
        else:
            yield _emulator(options, stack)


def _emulator(options: TargetOptions, stack: ExitStack) -> Target:
    from outlook_emulator.testing import Server

    if options.target == "emulator":
        from outlook_emulator.settings import Settings

        server = stack.enter_context(Server.in_process(Settings(journal_entries=0)))
    else:
        credential = {"credential": options.bearer} if options.bearer else {}
        ca_file = options.ca_file or None
        server = stack.enter_context(Server(options.target, token=options.admin_token, ca_file=ca_file, **credential))
        try:
            server.check()
        except ConnectionError as error:
            raise TargetError(str(error).partition("\n")[0]) from error
    sandbox = stack.enter_context(server.sandbox("contract"))
    # A run sends more than the 300 calls a minute; checks of the limit set one themselves.
    sandbox.limits(calls=0)
    parties = []
    for name in ("mailbox", "partner"):
        # A name that is not part of the address, as people have.
        connection = sandbox.connect(name, display_name=f"{name.capitalize()} Owner")
        access = Access(connection.url, lambda: f"Bearer {server.credential}")
        parties.append(Party(access, connection.address, server.transport))
    pace = max(options.pace, 0)
    return Target(options.target, parties[0], parties[1], sandbox, pace)


def _connections(options: TargetOptions) -> Target:
    url = options.connection if options.target == "real" else options.target
    if not url:
        raise TargetError(
            f"--target real needs the runtime URL of a connection in {ENVIRONMENT_PREFIX}CONNECTION or --connection."
        )
    mailbox = _party(options, url, options.key, options.bearer, options.address)
    partner = None
    if options.partner:
        partner = _party(options, options.partner, options.partner_key, options.partner_bearer, options.partner_address)
    pace = _OWN_PACE if options.pace < 0 else options.pace
    return Target(options.target, mailbox, partner, None, pace)


def authorization_of(options: TargetOptions) -> Callable[[], str] | None:
    """Returns the header's value for the credential of the options, None without one."""
    if options.key or options.bearer or options.azure_identity:
        return _authorization(options, options.key, options.bearer)
    return None


def _party(options: TargetOptions, url: str, key: str, token: str, address: str) -> Party:
    verify: Any = True
    if options.ca_file:
        from outlook_emulator.client import trusting

        try:
            verify = trusting(options.ca_file)
        except ValueError as error:
            raise TargetError(str(error)) from None
    return Party(
        Access(url.rstrip("/"), _authorization(options, key, token)),
        address,
        lambda: httpx.HTTPTransport(verify=verify),
    )


def _authorization(options: TargetOptions, key: str, token: str) -> Callable[[], str]:
    if key:
        return lambda: f"Key {key}"
    if token:
        return lambda: f"Bearer {token}"
    if options.azure_identity:
        return _identity()
    raise TargetError(
        f"The connection needs a credential: {ENVIRONMENT_PREFIX}KEY, {ENVIRONMENT_PREFIX}BEARER or --azure-identity."
    )


def _identity() -> Callable[[], str]:
    try:
        from azure.identity import DefaultAzureCredential
    except ModuleNotFoundError as error:
        raise TargetError("--azure-identity needs: pip install azure-identity") from error
    # The credential caches its token until shortly before it expires.
    credential = DefaultAzureCredential()
    return lambda: f"Bearer {credential.get_token(_SCOPE).token}"
