"""The rule for connection ids: any, or `SANDBOX.NAME`, by which a proxy finds the server of a sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.settings import Settings

DEFAULT = "default"
"""The name of the sandbox that unknown connection ids belong to."""


def sandbox_of(connection_id: str) -> str:
    """The sandbox that a connection id names by the rule `SANDBOX.NAME`."""
    name, dot, _ = connection_id.partition(".")
    return name if dot else DEFAULT


class IdRule:
    """The rule of a server. It is `strict` if connection ids must name their sandbox."""

    def __init__(self, settings: Settings) -> None:
        self.strict = settings.connection_ids == "sandbox"

    def id_of(self, sandbox: str, name: str, separator: str = "") -> str:
        """A connection id for a name that follows the rule; without one, the name, with a separator also the sandbox.

        A name that has the form already stays.
        """
        if not self.strict:
            return f"{sandbox}{separator}{name}" if separator else name
        return name if sandbox_of(name) == sandbox else f"{sandbox}.{name}"

    def check(self, sandbox: str, ids: Iterable[str]) -> None:
        """Raise InvalidRequest for an id that a sandbox cannot have."""
        for id in ids if self.strict else ():
            if sandbox_of(id) != sandbox:
                form = "without a dot" if sandbox == DEFAULT else f"that start with '{sandbox}.'"
                raise InvalidRequest(
                    f"The sandbox '{sandbox}' takes connection ids {form}, unlike '{id[:130]}'; see the setting"
                    " connection_ids."
                )
