"""How a sandbox treats those who call it, and what it saw of them: limits, fault rules, the journal. Knows no HTTP."""

from __future__ import annotations

from outlook_emulator.settings import Settings
from outlook_emulator.traffic.faults import Rulebook
from outlook_emulator.traffic.journal import Journal
from outlook_emulator.traffic.limits import Limiter, limits_of
from outlook_emulator.traffic.waits import Waits


class Traffic:
    """What a sandbox keeps of its callers, and for them. Lives as long as the sandbox; a reset has it start over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.faults = Rulebook()
        self.limiter = Limiter(limits_of(settings))
        self.journal = Journal(settings.journal_entries, settings.journal_body_bytes)
        self.waits = Waits()

    def remove_fault(self, name: str) -> None:
        """Take one rule away, and let the calls go on that it has wait. Raises NotFound."""
        rule = self.faults.named(name)
        self.faults.remove(name)
        self.waits.let_go([rule])

    def clear_faults(self) -> None:
        """Take all rules away, and let the calls go on that they have wait."""
        rules = self.faults.rules()
        self.faults.clear()
        self.waits.let_go(rules)

    def leave_epoch(self) -> None:
        """Another world takes this one's place: its time may be an earlier one, and nothing under way belongs to it."""
        self.limiter.forget()
        self.waits.end()

    def start_over(self) -> None:
        """Be as a new sandbox's: no rules, nothing counted, nothing remembered, nobody waiting."""
        settings = self._settings
        self.leave_epoch()
        self.faults.clear()
        self.limiter.limits = limits_of(settings)
        self.journal.clear()
        self.journal.keep(settings.journal_entries)
        self.journal.body_bytes = settings.journal_body_bytes
