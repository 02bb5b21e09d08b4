"""How a sandbox treats those who call it, and what it saw of them: limits, fault rules, the journal. Knows no HTTP."""

from __future__ import annotations

from emulator.conduct.faults import Rulebook
from emulator.conduct.journal import Journal
from emulator.conduct.limits import Limiter, limits_of
from emulator.conduct.waits import Waits
from emulator.settings import Settings


class Conduct:
    """What a sandbox keeps of its callers, and for them. Lives as long as the sandbox; a reset has it start over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.faults = Rulebook()
        self.limiter = Limiter(limits_of(settings))
        self.journal = Journal(settings.journal_entries, settings.journal_body_bytes)
        self.waits = Waits()

    def start_over(self) -> None:
        """Be as a new sandbox's: no rules, nothing counted, nothing remembered, nobody waiting."""
        settings = self._settings
        self.faults.clear()
        self.limiter.forget()
        self.limiter.limits = limits_of(settings)
        self.journal.clear()
        self.journal.keep(settings.journal_entries)
        self.journal.body_bytes = settings.journal_body_bytes
        self.waits.end()
