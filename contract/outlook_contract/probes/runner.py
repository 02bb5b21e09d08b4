"""Runs probes against the target of a contract run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.plugin import (
    REASON_ADDRESS,
    REASON_CALLBACK,
    REASON_PARTNER,
    REASON_PARTNER_ADDRESS,
    REASON_READ_ONLY,
    ContractRun,
)
from outlook_contract.probes.normal import Normalizer, Owner
from outlook_contract.probes.probe import Need, Probe
from outlook_contract.probes.probe_run import Answer, NotAsked, ProbeRun
from outlook_contract.receiver import receiving
from outlook_contract.suite.events import V1, day, event

if TYPE_CHECKING:
    from outlook_contract.receiver import Receiver

REASON_HEAVY = "sends hundreds of requests or runs into a limit: contract probe --heavy"


class ProbeResult(NamedTuple):
    """What became of a probe: answers, or the reason why it was skipped, or what went wrong after some answers."""

    probe: Probe
    answers: tuple[Answer, ...] = ()
    requests: int = 0
    skipped: str = ""
    failed: str = ""


class ProbeRunner:
    """Runs probes. Without `heavy`, heavy ones are skipped on a connection; on an emulator they cost nothing."""

    def __init__(self, contract: ContractRun, *, heavy: bool = False) -> None:
        self._contract = contract
        self._heavy = heavy or contract.target.is_emulator

    def reason(self, probe: Probe) -> str:
        """Why a probe cannot run here, empty if it can."""
        mailboxes = self._contract.mailboxes
        if self._contract.options.read_only and not probe.reads:
            return REASON_READ_ONLY
        if probe.heavy and not self._heavy:
            return REASON_HEAVY
        if Need.PARTNER in probe.needs and "partner" not in mailboxes:
            return REASON_PARTNER
        if Need.PARTNER in probe.needs and not mailboxes["partner"].address:
            return REASON_PARTNER_ADDRESS
        if probe.needs & {Need.ADDRESS, Need.PARTNER} and not mailboxes["mailbox"].address:
            return REASON_ADDRESS
        if Need.CALLBACK in probe.needs and not self._contract.callback_url:
            return REASON_CALLBACK
        return ""

    def run(self, probe: Probe) -> ProbeResult:
        """Run one probe; what goes wrong is in the result."""
        if reason := self.reason(probe):
            return ProbeResult(probe, skipped=reason)
        mailboxes = self._contract.mailboxes.values()
        connections = [mailbox.url.rpartition("/")[2] for mailbox in mailboxes]
        normalizer = Normalizer(self._contract.marker, self._owners, connections)
        before = sum(self._contract.report.requests.values())
        with ExitStack() as stack:
            for mailbox in mailboxes:
                stack.enter_context(mailbox.plain())
            receiver = stack.enter_context(self._receiver(probe))
            running = ProbeRun(probe, self._contract, normalizer, receiver=receiver, heavy=self._heavy)
            try:
                running.attempt(probe.ask)
            except NotAsked as error:
                return ProbeResult(probe, skipped=str(error))
        requests = sum(self._contract.report.requests.values()) - before
        return ProbeResult(probe, tuple(running.answers), requests, failed="; ".join(running.failures))

    @contextmanager
    def _receiver(self, probe: Probe) -> Iterator[Receiver | None]:
        if Need.CALLBACK in probe.needs and self._contract.calls_this_machine:
            with receiving() as receiver:
                yield receiver
        else:
            yield None

    @cached_property
    def _owners(self) -> list[Owner]:
        read_only = self._contract.options.read_only
        mailboxes = self._contract.mailboxes.values()
        return [Owner(mailbox.address, "" if read_only else _name_of_owner(mailbox)) for mailbox in mailboxes]


def _name_of_owner(mailbox: Mailbox) -> str:
    """The name that the connector shows beside the mailbox's address. Only the first version of an event says it."""
    created = mailbox.call(V1.create, event(mailbox.name("Whose"), day(1)), table=CALENDAR).json() or {}
    if "Id" in created:
        mailbox.call("CalendarDeleteItem", table=CALENDAR, id=created["Id"])
    return str(((created.get("Organizer") or {}).get("EmailAddress") or {}).get("Name") or "")
