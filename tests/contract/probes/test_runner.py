"""How probes run: what they need, what they record, and what happens when they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from outlook_contract.mailbox import Mailbox
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import (
    REASON_ADDRESS,
    REASON_CALLBACK,
    REASON_PARTNER,
    REASON_PARTNER_ADDRESS,
    REASON_READ_ONLY,
    ContractRun,
)
from outlook_contract.probes.probe import Need, Probe
from outlook_contract.probes.probe_run import NotAsked, ProbeRun
from outlook_contract.probes.runner import REASON_HEAVY, ProbeResult, ProbeRunner


@pytest.fixture
def contract() -> Iterator[ContractRun]:
    """A run against a new emulator."""
    with ContractRun(TargetOptions(client="http")) as run:
        yield run


def asking(ask: Callable[[ProbeRun], None], *needs: Need, settles: tuple[str, ...] = ()) -> Probe:
    return Probe(number=99, name="own", question="Which?", settles=settles, ask=ask, needs=frozenset(needs))


def result(contract: ContractRun, ask: Callable[[ProbeRun], None], *needs: Need) -> ProbeResult:
    return ProbeRunner(contract).run(asking(ask, *needs, settles=("deleted-mail",)))


def test_answers_and_requests(contract: ContractRun) -> None:
    """An answer is recorded in its comparable form, with what it settles; the requests of the probe are counted."""

    def ask(run: ProbeRun) -> None:
        run.record("a name", run.name("text"), "deleted-mail")
        run.respond("a refusal", run.mailbox.call("GetEmail", messageId="nope"), headers=("Content-Type",))

    runner = ProbeRunner(contract)
    runner.run(asking(ask, settles=("deleted-mail",)))
    done = runner.run(asking(ask, settles=("deleted-mail",)))
    (name, refusal) = done.answers

    assert (1, "") == (done.requests, done.failed)
    assert ("a name", "P99 text", ("deleted-mail",)) == name
    assert (400, "application/json; charset=utf-8") == (refusal.answer["status"], refusal.answer["Content-Type"])
    assert "Id is malformed.\r\nclientRequestId: <id>\r\nserviceRequestId: <id>" == refusal.answer["body"]["message"]
    assert "<host>" == refusal.answer["body"]["source"]


def test_failure_keeps_the_other_answers(contract: ContractRun) -> None:
    """What goes wrong in one part is named without ids and addresses, and the other parts are asked."""

    def broken(run: ProbeRun) -> None:
        raise LookupError(f"nothing for {run.mailbox.address}")

    def ask(run: ProbeRun) -> None:
        run.record("before", 1)
        run.attempt(broken)
        run.record("after", 2)
        run.mailbox.ok("GetEmail", messageId="nope")

    done = result(contract, ask)

    assert ["before", "after"] == [answer.about for answer in done.answers]
    assert done.failed.startswith("LookupError: nothing for mailbox1@example.com; Unexpected: GET https://<host>/")


def test_undeclared_and_repeated_answers(contract: ContractRun) -> None:
    """An answer settles only what the probe declares, and no part of a question is answered twice."""

    def undeclared(run: ProbeRun) -> None:
        run.record("a", 1, "list-page")

    def repeated(run: ProbeRun) -> None:
        run.record("a", 1)
        run.record("a", 2)

    assert "ValueError: P99 does not declare that it settles list-page." == result(contract, undeclared).failed
    assert "ValueError: P99 has answered 'a' before." == result(contract, repeated).failed


def test_probe_that_lacks_something(contract: ContractRun) -> None:
    """A probe may find out itself that it cannot be asked."""

    def ask(run: ProbeRun) -> None:
        run.record("a", 1)
        raise NotAsked("needs a mail")

    done = result(contract, ask)

    assert ("needs a mail", ()) == (done.skipped, done.answers)


def without(contract: ContractRun, mailbox: str) -> None:
    contract.mailboxes[mailbox].address = ""


@pytest.mark.parametrize(
    ("need", "change", "expected"),
    [
        (Need.ADDRESS, lambda contract: without(contract, "mailbox"), REASON_ADDRESS),
        (Need.PARTNER, lambda contract: without(contract, "mailbox"), REASON_ADDRESS),
        (Need.PARTNER, lambda contract: without(contract, "partner"), REASON_PARTNER_ADDRESS),
        (Need.PARTNER, lambda contract: contract.mailboxes.pop("partner").close(), REASON_PARTNER),
        (Need.ADDRESS, lambda contract: None, ""),
    ],
)
def test_needs(contract: ContractRun, need: Need, change: Callable[[ContractRun], None], expected: str) -> None:
    """A probe is skipped with the reason where the target lacks what it needs."""
    probe = asking(lambda run: None, need)
    change(contract)

    assert expected == ProbeRunner(contract).reason(probe)


def test_heavy_and_changing_probes(contract: ContractRun) -> None:
    """Heavy probes and those that need a callback run on an emulator; on a connection, only if somebody wants it."""
    probe = asking(lambda run: None, Need.CALLBACK)
    heavy = replace(probe, heavy=True, needs=frozenset())
    emulator = ProbeRunner(contract)
    assert ("", "") == (emulator.reason(probe), emulator.reason(heavy))

    contract.target = contract.target._replace(sandbox=None)
    assert REASON_CALLBACK == ProbeRunner(contract).reason(probe)
    assert REASON_HEAVY == ProbeRunner(contract).reason(heavy)
    assert "" == ProbeRunner(contract, heavy=True).reason(heavy)
    contract.options = replace(contract.options, read_only=True)
    assert REASON_READ_ONLY == ProbeRunner(contract).reason(heavy)
    assert "" == ProbeRunner(contract).reason(replace(probe, reads=True, needs=frozenset()))


def test_eventually(contract: ContractRun) -> None:
    """A look that brings nothing ends with None, and one that brings something ends with it."""
    seen: list[tuple[Mailbox, object, object]] = []

    def ask(run: ProbeRun) -> None:
        seen.append((run.mailbox, run.eventually(list), run.look_for("nothing")))
        run.sent("something")
        run.record("found", run.look_for("something")["Subject"])

    done = result(contract, ask, Need.ADDRESS)

    assert [(None, None)] == [looks[1:] for looks in seen]
    assert "P99 something" == done.answers[0].answer
