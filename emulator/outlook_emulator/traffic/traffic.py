"""The traffic of a sandbox: its limits, fault rules, journal and waiting requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from outlook_emulator.errors import ConnectorError, ServerStops
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.faults import Rulebook
from outlook_emulator.traffic.journal import Journal
from outlook_emulator.traffic.limits import Limiter
from outlook_emulator.traffic.waits import Waits


class Observer(Protocol):
    """Watches what is written to a sandbox for requests that wait for it.

    `look` is called after each request that may have written something. `end` ends the waiting requests with an error.
    """

    def look(self) -> None: ...

    def end(self, error: ConnectorError) -> None: ...


class Traffic:
    """What a sandbox keeps about its callers. Lives as long as the sandbox; a reset starts it over.

    `observer` exists once a request has waited for something to be written. `followers` are called after each request
    and each delivery, and when the sandbox is deleted or the server stops.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.faults = Rulebook()
        self.limiter = Limiter(settings)
        self.journal = Journal(settings.journal_entries, settings.journal_body_bytes, settings.journal_bytes)
        self.waits = Waits()
        self.observer: Observer | None = None
        self.followers: list[Callable[[], None]] = []
        self.is_stopping = False

    def written(self) -> None:
        """Something may have been written, or the sandbox was deleted."""
        if self.observer is not None:
            self.observer.look()
        self.changed()

    def changed(self) -> None:
        """Something that pages show may have changed: what is stored, a rule, a count or an entry of the journal."""
        for follower in self.followers:
            follower()

    @contextmanager
    def followed(self, follower: Callable[[], None]) -> Iterator[None]:
        """A block during which `follower` is called after each change."""
        # New lists, since a change may be under way.
        self.followers = [*self.followers, follower]
        try:
            yield
        finally:
            self.followers = [other for other in self.followers if other is not follower]

    def stop(self) -> None:
        """End all waiting requests: the server stops."""
        self.is_stopping = True
        self.waits.end()
        if self.observer is not None:
            self.observer.end(ServerStops())
        self.changed()

    def remove_fault(self, name: str) -> None:
        """Remove one rule and release the requests that it delays. Raises NotFound."""
        rule = self.faults.named(name)
        self.faults.remove(name)
        self.waits.release([rule])

    def clear_faults(self) -> None:
        """Remove all rules and release the requests that they delay."""
        rules = self.faults.rules()
        self.faults.clear()
        self.waits.release(rules)

    def leave_epoch(self) -> None:
        """End the requests in progress: the sandbox's data is replaced, and its clock may go back."""
        self.limiter.forget()
        self.faults.forget_cooldowns()
        self.waits.end()

    def start_over(self) -> None:
        """Return to the state of a new sandbox: no rules, no counts, no journal entries, no waiting requests."""
        settings = self._settings
        self.leave_epoch()
        self.faults.clear()
        self.limiter.limits = settings
        self.journal.clear()
        self.journal.keep(settings.journal_entries)
        self.journal.body_bytes = settings.journal_body_bytes
