"""What a probe is: an open question about the connector, and the function that puts it to a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlook_contract.probes.probe_run import ProbeRun


class Need(Enum):
    """The option that a probe cannot do without."""

    ADDRESS = "--address"
    PARTNER = "--partner"
    CALLBACK = "--callback-url"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An open question. `ask` puts it to a target and records the answers.

    `settles` names the deviations that an answer of the real connector would confirm or refute. `reads` says that the
    probe changes nothing, and `heavy` that all of it sends hundreds of requests, runs into a limit or waits long; with
    `has_heavy_parts`, only parts of it do.
    """

    number: int
    name: str
    question: str
    settles: tuple[str, ...]
    ask: Callable[[ProbeRun], None]
    needs: frozenset[Need] = frozenset()
    reads: bool = False
    heavy: bool = False
    has_heavy_parts: bool = False

    @property
    def id(self) -> str:
        """The short form of its name, such as P6."""
        return f"P{self.number}"


def probe(
    number: int,
    name: str,
    question: str,
    *,
    settles: tuple[str, ...],
    needs: tuple[Need, ...] = (),
    reads: bool = False,
    heavy: bool = False,
    has_heavy_parts: bool = False,
) -> Callable[[Callable[[ProbeRun], None]], Probe]:
    """Makes a probe of the function that asks."""

    def declared(ask: Callable[[ProbeRun], None]) -> Probe:
        return Probe(
            number=number,
            name=name,
            question=question,
            settles=settles,
            ask=ask,
            needs=frozenset(needs),
            reads=reads,
            heavy=heavy,
            has_heavy_parts=has_heavy_parts,
        )

    return declared
