"""Counts what a run did, for its summary and its JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from outlook_contract.drift import Drift, as_json
from outlook_contract.routes import routes

_GENERATED = ("operations", "model")
"""The groups whose requests are generated."""
_NOT_JOURNEYS = ("definition", *_GENERATED)


class Result(NamedTuple):
    """One check that ended: its group, its name, and `passed`, `failed` or `skipped` with the reason."""

    group: str
    check: str
    outcome: str
    reason: str = ""
    is_probe: bool = False


class Summary(NamedTuple):
    """What a run did. `statuses` holds the statuses of each operation, `requests` how many each check sent.

    `cases` is how many requests or sequences of requests each check generated.
    """

    results: list[Result]
    statuses: Mapping[str, set[int]]
    requests: Mapping[str, int]
    cases: Mapping[str, int]
    drifts: list[Drift]

    def counts(self) -> dict[str, int]:
        """The counts of the run by name."""
        ran = [result for result in self.results if result.outcome != "skipped"]
        declared = [self.statuses.get(operation, set()) for operation in routes()]
        new = [drift for drift in self.drifts if drift.is_new]
        return {
            "operations": len(declared),
            "operations with a success": sum(any(200 <= status < 300 for status in seen) for seen in declared),
            "operations with a refusal": sum(any(400 <= status < 500 for status in seen) for seen in declared),
            "journeys": sum(not result.is_probe and result.group not in _NOT_JOURNEYS for result in ran),
            "probes": sum(result.is_probe for result in ran),
            "cases": sum(self.cases.values()),
            "requests": sum(self.requests.values()),
            "passed": sum(result.outcome == "passed" for result in ran),
            "failed": sum(result.outcome == "failed" for result in ran),
            "skipped": len(self.results) - len(ran),
            "known drift": len(set(self.drifts)) - len(set(new)),
            "new drift": len(set(new)),
        }

    def skipped(self) -> Mapping[str, list[str]]:
        """The checks that did not run, by reason."""
        reasons: dict[str, list[str]] = {}
        for result in self.results:
            if result.outcome == "skipped":
                reasons.setdefault(result.reason, []).append(result.check)
        return reasons

    def lines(self) -> Iterator[str]:
        """The summary as lines of text."""
        counts = self.counts()
        yield (
            f"{counts['operations']} operations: {counts['operations with a success']} succeeded, "
            f"{counts['operations with a refusal']} refused bad input"
        )
        yield (
            f"{counts['journeys']} journeys, {counts['probes']} probes, {counts['cases']} cases, "
            f"{counts['requests']} requests"
        )
        yield f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
        for reason, checks in sorted(self.skipped().items()):
            yield f"  skipped {len(checks)}: {reason}"
        yield f"drift: {counts['known drift']} known, {counts['new drift']} new"

    def as_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        groups = Counter((result.group, result.outcome) for result in self.results)
        return {
            "counts": self.counts(),
            "groups": [
                {"group": group, "outcome": outcome, "checks": number}
                for (group, outcome), number in sorted(groups.items())
            ],
            "failed": [result.check for result in self.results if result.outcome == "failed"],
            "skipped": [{"reason": reason, "checks": checks} for reason, checks in self.skipped().items()],
            "drift": [as_json(drift) for drift in self.drifts],
        }
