"""The pytest plugin of a contract run: its fixtures, what it leaves out, and its report.

`outlook-emulator contract` runs the suite with it. Nothing of it is active in other test runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from outlook_contract.drift import table
from outlook_contract.interrupts import finishing
from outlook_contract.mailbox import Mailbox, Report, Unexpected
from outlook_contract.options import TargetOptions
from outlook_contract.receiver import Receiver, receiving
from outlook_contract.routes import routes
from outlook_contract.summary import Result, Summary
from outlook_contract.targets import Party, Target, opened
from outlook_contract.transport import Pace

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_MARKERS = (
    "reads: the check changes nothing, so that it also runs with --read-only",
    "probe(number, question): the check records the answer to an open question",
)
_SETTLING = 5
"""Seconds that a mail may take to arrive while the run cleans up."""
_MOST_LOOKS = 5
_MOST_LOSSES = 3
"""Checks in a row without a connection after which the rest would only take time."""
_UNAUTHORIZED = 401
REASON_READ_ONLY = "changes the mailbox; left out by --read-only"
REASON_EMULATOR_ONLY = "emulator only: needs a clock or faults"
REASON_PARTNER = "needs a second mailbox"
REASON_PARTNER_ADDRESS = "needs the mail address of the second mailbox"
REASON_CALLBACK = "needs --callback-url"
_REASON_RECEIVER = "needs --callback-url and --callback-port: listens for callbacks"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
REASON_ADDRESS = "needs the mail address of the mailbox"


class ContractRun:
    """A run against one target, in a `with` block. What the run created is removed at the end of the block.

    `left_behind` says that this failed. Entering raises TargetError.
    """

    def __init__(self, options: TargetOptions, report: Report | None = None) -> None:
        self.options = options
        self.report = report or Report()
        self.marker = f"contract-{token_hex(4)}"
        self.target: Target
        self.mailboxes: dict[str, Mailbox] = {}
        self.left_behind = False
        self._closing: ExitStack

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.target = stack.enter_context(opened(self.options))
            self.report.on_emulator = self.target.is_emulator
            pace = Pace(self.target.pace)
            for name, party in (("mailbox", self.target.mailbox), ("partner", self.target.partner)):
                if party is not None:
                    self.mailboxes[name] = stack.enter_context(closing(self._mailbox(party, pace)))
                    self.mailboxes[name].check()
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with finishing(f"removing what carries {self.marker}"), self._closing:
            # An emulator's sandbox goes as a whole.
            if not self.target.is_emulator:
                self._clean_up()

    def now(self) -> datetime:
        """The time at the target, in UTC: an emulator may have a clock of its own."""
        sandbox = self.target.sandbox
        return datetime.now(UTC) if sandbox is None else sandbox.clock.now()

    @property
    def callback_url(self) -> str:
        """A URL that subscriptions may name, where nothing has to listen; empty for a connection without one."""
        # An emulator calls back on its own machine alone.
        return self.options.callback_url or ("http://127.0.0.1:9/contract" if self.target.is_emulator else "")

    @property
    def calls_this_machine(self) -> bool:
        """Whether the target can call a receiver in this process."""
        name = self.target.name
        return self.target.is_emulator and ("://" not in name or httpx.URL(name).host in _THIS_MACHINE)

    def incomplete(self) -> list[str]:
        """What a whole run against an emulator lacks: operations without a success or without a refusal."""
        lines = []
        for operation in routes():
            statuses = self.report.statuses.get(operation, set())
            if not any(status < 300 for status in statuses):
                lines.append(f"{operation} has no success")
            if not any(400 <= status < 500 for status in statuses):
                lines.append(f"{operation} has no refusal")
        return lines

    def _clean_up(self) -> None:
        """Remove what carries the marker, until a look at all mailboxes finds nothing any more."""
        wait = min(self.options.patience, _SETTLING)
        for _ in range(_MOST_LOOKS):
            changed = [mailbox for mailbox in self.mailboxes.values() if mailbox.has_changed]
            if changed:
                # What was sent last may still be under way, and a meeting that goes sends mails.
                time.sleep(wait)
            removed = [self._removed(mailbox) for mailbox in self.mailboxes.values() if changed]
            if self.left_behind or not sum(removed):
                return

    def _removed(self, mailbox: Mailbox) -> int:
        """How much was removed from a mailbox; says so if that failed, and goes on with the next one."""
        try:
            return mailbox.clean_up()
        except (httpx.TransportError, Unexpected) as error:
            self.left_behind = True
            what = f"what carries {self.marker} at {mailbox.url} could not be removed"
            print(f"outlook-emulator: {what}: {error}", file=sys.stderr)
            return 0

    def _mailbox(self, party: Party, pace: Pace) -> Mailbox:
        # An emulator delivers at once, so waiting would only hide a failure.
        patience = 0 if self.target.is_emulator else self.options.patience
        return Mailbox(
            party,
            self.marker,
            pace,
            self.report,
            microsoft=self.options.client == "microsoft",
            read_only=self.options.read_only,
            patience=patience,
        )


class ContractPlugin:
    """The plugin for one run. `demands_all` makes a run fail that leaves an operation without a success or refusal.

    `lost` says why the target could not be used any more, empty if it could.
    """

    def __init__(self, run: ContractRun, *, demands_all: bool = False) -> None:
        self.run = run
        # A recording may come from a real mailbox. The checks of the suite are written for both targets.
        run.report.named_only = True
        self.demands_all = demands_all
        self.missing: list[str] = []
        self.results: list[Result] = []
        self.is_interrupted = False
        self.lost = ""
        self._losses = 0

    @property
    def summary(self) -> Summary:
        """What the run did."""
        report = self.run.report
        return Summary(self.results, report.statuses, report.requests, report.cases, report.drifts)

    def pytest_configure(self, config: pytest.Config) -> None:
        for marker in _MARKERS:
            config.addinivalue_line("markers", marker)
        # Progress names the checks from the suite's folder, wherever that is installed.
        suite = config.invocation_params
        config.invocation_params = pytest.Config.InvocationParams(
            args=suite.args, plugins=suite.plugins, dir=config.rootpath
        )

    def pytest_report_collectionfinish(self) -> list[str]:
        target, options = self.run.target, self.run.options
        lines = [f"target: {target.name}" + (f", at most {target.pace} calls a minute" if target.pace else "")]
        if options.read_only:
            lines.append("read only: the run changes nothing")
        elif not target.is_emulator:
            lines.append(f"what the run creates carries {self.run.marker}, and goes at the end")
        return lines

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest ends a run like this, too, when a module cannot be imported.
        self.is_interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        # A check ends with its call, or earlier with a setup that skips or fails; a failing teardown counts as well.
        if report.when == "call" or report.outcome != "passed":
            self._note(item, report)
        return report

    def _note(self, item: pytest.Item, report: pytest.TestReport) -> None:
        reason = ""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
        is_probe = item.get_closest_marker("probe") is not None
        self.results.append(Result(_group(item.path), item.name, report.outcome, reason, is_probe))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.demands_all and not session.shouldstop and not session.shouldfail:
            self.missing = self.run.incomplete()
            if self.missing and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        report = self.run.report
        report.check = item.name
        reason = ""
        try:
            yield
            self._losses = 0
        except httpx.TransportError as error:
            reason = f"The target does not respond: {error}"
            self._lose(item.session, reason)
        except Unexpected as error:
            reason = str(error)
            if self._is_locked_out():
                self._lose(item.session, "The connection refuses the credential: a token may have expired.")
            if not report.new(item.name):
                report.add("", "", "the check to go on", reason[:300])
        if reason:
            # Outside of the handlers, so that the report does not repeat what led here.
            pytest.fail(reason, pytrace=False)
        if drifts := report.new(item.name):
            pytest.fail(table(drifts), pytrace=False)

    def _is_locked_out(self) -> bool:
        """Whether a mailbox refused the credential last."""
        last = [mailbox.transport.exchanges[-1:] for mailbox in self.run.mailboxes.values()]
        return any(exchange.status == _UNAUTHORIZED for exchanges in last for exchange in exchanges)

    def _lose(self, session: pytest.Session, reason: str) -> None:
        """Count a check that failed since the target cannot be used; some in a row end the run."""
        self._losses += 1
        if self._losses == _MOST_LOSSES:
            self.lost = reason
            session.shouldfail = reason

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        drifts = self.run.report.drifts
        if drifts:
            terminalreporter.section("drift")
            terminalreporter.write_line(table(drifts))
        if self.missing:
            terminalreporter.section("operations that were not exercised")
            for line in self.missing:
                terminalreporter.write_line(line)
        terminalreporter.section("summary")
        for line in self.summary.lines():
            terminalreporter.write_line(line)

    # --- Fixtures ---

    @pytest.fixture
    def contract(self) -> ContractRun:
        """The run."""
        return self.run

    @pytest.fixture
    def mailbox(self, request: pytest.FixtureRequest) -> Mailbox:
        """The mailbox under test."""
        if self.run.options.read_only and request.node.get_closest_marker("reads") is None:
            pytest.skip(REASON_READ_ONLY)
        return self.run.mailboxes["mailbox"]

    @pytest.fixture
    def own_address(self, mailbox: Mailbox) -> str:
        """The address of the mailbox under test."""
        if not mailbox.address:
            pytest.skip(REASON_ADDRESS)
        return mailbox.address

    @pytest.fixture
    def partner(self, mailbox: Mailbox) -> Mailbox:
        """A second mailbox."""
        if "partner" not in self.run.mailboxes:
            pytest.skip(REASON_PARTNER)
        return self.run.mailboxes["partner"]

    @pytest.fixture
    def partner_address(self, own_address: str, partner: Mailbox) -> str:
        """The address of the second mailbox, in a run that knows both addresses."""
        if not partner.address:
            pytest.skip(REASON_PARTNER_ADDRESS)
        return partner.address

    @pytest.fixture
    def callback_url(self, mailbox: Mailbox) -> str:
        """A URL that subscriptions may name; nothing listens there."""
        if not self.run.callback_url:
            pytest.skip(REASON_CALLBACK)
        return self.run.callback_url

    @pytest.fixture
    def receiver(self, mailbox: Mailbox) -> Iterator[Receiver]:
        """A receiver of callbacks in this process, for an emulator on this machine or behind `--callback-url`."""
        options = self.run.options
        if options.callback_url and options.callback_port:
            with receiving(options.callback_port, options.callback_url, options.patience) as receiver:
                yield receiver
            return
        if not self.run.calls_this_machine:
            pytest.skip(_REASON_RECEIVER)
        with receiving() as receiver:
            yield receiver

    @pytest.fixture
    def emulator(self, mailbox: Mailbox) -> Iterator[Sandbox]:
        """The emulator's sandbox, for checks that need its clock or faults; both are as before afterwards."""
        sandbox = self.run.target.sandbox
        if sandbox is None:
            pytest.skip(REASON_EMULATOR_ONLY)
        with _restored(sandbox):
            yield sandbox


def _group(path: Path) -> str:
    return path.stem.removeprefix("test_")


@contextmanager
def _restored(sandbox: Sandbox) -> Iterator[None]:
    # What each connection uses is no limit.
    before = {name: value for name, value in sandbox.limits().items() if name != "connections"}
    try:
        yield
    finally:
        sandbox.faults.clear()
        sandbox.clock.follow()
        sandbox.admin.request("PATCH", "/limits", json=before)
