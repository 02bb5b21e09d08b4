"""Types of the fixtures that are functions."""

from __future__ import annotations

from typing import Any, Protocol

from outlook_emulator.testing.sandbox import Connection, Seed


class MakeOutlook(Protocol):
    """The type of the fixture `make_outlook`."""

    def __call__(
        self,
        name: str | None = None,
        address: str | None = None,
        *,
        seed: Seed | None = None,
        display_name: str | None = None,
        send_as: list[str] | None = None,
        mails: list[dict[str, Any]] | None = None,
    ) -> Connection:
        """Add a mailbox to the test's sandbox."""


class OutlookAnswer(Protocol):
    """The type of the fixture `outlook_answer`."""

    def __call__(self, option: str, *, subject: str = "", sandbox: str | None = None) -> dict[str, Any]:
        """Answer an open approval mail or mail with options."""
