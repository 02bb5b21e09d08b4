"""The fault rules of a sandbox, as a test arms and checks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from outlook_emulator.options import options_of
from outlook_emulator.testing.admin import Admin, AdminError
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultRule, FaultWhen

_PARTS = {"match": FaultMatch, "when": FaultWhen, "effect": FaultEffect}
_OF_PARTS = [(part, option) for part, declaration in _PARTS.items() for option in options_of(declaration)]
# Such as `body`, which belongs to a request in one part and to a response in another.
_AMBIGUOUS = {name for name, count in Counter(option.name for _, option in _OF_PARTS).items() if count > 1}
_KEYWORDS = {option.name: (part, option.member) for part, option in _OF_PARTS if option.name not in _AMBIGUOUS}
"""The part of a rule and the JSON member that each keyword stands for."""
_OF_RULE = [option.name for option in options_of(FaultRule)]
Rule = Mapping[str, Any]


class Faults:
    """The fault rules of one sandbox."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self.armed = False
        """Whether a rule was armed through this object."""

    def add(self, *rules: str | Rule, header: str | None = None, **keywords: Any) -> list[dict[str, Any]]:
        """Arm rules, all or none, and return their ledger entries. Raises AdminError and TypeError.

        A rule is the name of a fault, or a mapping as in a file for `serve --faults`; a mapping with `faults` is a
        whole file. Keywords describe one rule, with or without a named fault:
        `add("throttled", operation="SendEmailV2", nth=2)`, `add(status=503, path="/v2/Mail*")`.
        Python's own words end in an underscore: `from_`, `break_`.
        With a `header`, the rules apply only to requests that carry it as `x-outlook-emulator-plan`.
        """
        plan = _plan(rules, keywords)
        if header is not None:
            plan["header"] = header
        added: list[dict[str, Any]] = self._admin.request("POST", "/faults", json=plan)["value"]
        # Only now: a rejected plan arms nothing.
        self.armed = True
        return added

    def ledger(self) -> list[dict[str, Any]]:
        """The rules with their state, the number of matching requests, and how often they acted."""
        rules: list[dict[str, Any]] = self._admin.request("GET", "/faults")["value"]
        return rules

    def unused(self) -> list[dict[str, Any]]:
        """The rules that never acted, without optional ones."""
        return [rule for rule in self.ledger() if rule["used"] == 0 and not rule.get("optional")]

    def clear(self) -> None:
        """Remove all rules and their ledger entries."""
        self._admin.request("DELETE", "/faults")

    def complaint(self) -> str:
        """A text about the unused rules and the requests that nearly matched them; empty without unused rules."""
        return "\n".join(line for rule in self.unused() for line in self._lines(rule))

    def _lines(self, rule: Mapping[str, Any]) -> Iterator[str]:
        matched = rule.get("matched", 0)
        reason = f"matching requests: {matched}, but none that it acts on" if matched else "no request matched"
        yield f"The fault '{rule['name']}' was never used: {reason}."
        for entry in self._misses(rule):
            yield f"  nearly: {shown(entry)}"

    def _misses(self, rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        match = rule.get("rule", {}).get("match")
        if rule.get("matched") or not match:
            return []
        try:
            misses: list[Mapping[str, Any]] = self._admin.request("POST", "/journal/query", json=match)["nearMisses"]
        except AdminError:
            # Not every match of a rule is a valid query of the journal.
            return []
        return misses[:3]


def shown(entry: Mapping[str, Any]) -> str:
    """A journal entry in one line."""
    differs = ", ".join(entry.get("differs", ()))
    text = f"{entry.get('operation') or 'no operation'} of {entry.get('connection') or 'no connection'}"
    text += f", answered {entry.get('status')}"
    return f"{text}; differs in: {differs}" if differs else text


def _plan(rules: tuple[str | Rule, ...], keywords: Mapping[str, Any]) -> dict[str, Any]:
    if keywords:
        if len(rules) > 1 or not all(isinstance(rule, str) for rule in rules):
            raise TypeError("keywords describe one rule, with at most one named fault")
        return {"faults": [_rule([*rules], dict(keywords))]}
    if len(rules) == 1 and not isinstance(rules[0], str) and "faults" in rules[0]:
        return dict(rules[0])
    return {"faults": [{"effect": rule} if isinstance(rule, str) else dict(rule) for rule in rules]}


def _rule(named: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """The rule that keywords describe. Raises TypeError for an unknown keyword."""
    if not named and isinstance(keywords.get("effect"), str):
        named = [keywords.pop("effect")]
    rule: dict[str, Any] = {part: dict(keywords[part]) for part in _PARTS if isinstance(keywords.get(part), Mapping)}
    for name, value in keywords.items():
        if name == "sequence":
            rule[name] = [{"status": step} if isinstance(step, int) else step for step in value]
        elif name in _KEYWORDS:
            part, member = _KEYWORDS[name]
            rule.setdefault(part, {})[member] = value
        elif name in _OF_RULE and name not in _PARTS:
            rule[name] = value
        elif name not in rule:
            raise TypeError(_unknown(name))
    for fault in named:
        rule["effect"] = {"fault": fault, **rule["effect"]} if "effect" in rule else fault
    return rule


def _unknown(name: str) -> str:
    if name in _AMBIGUOUS:
        parts = " or ".join(f"{part}={{'{name}': …}}" for part, option in _OF_PARTS if option.name == name)
        return f"'{name}' has two meanings: use {parts}"
    return f"no rule has '{name}'; known are {', '.join(sorted([*_KEYWORDS, *_OF_RULE]))}"
