"""Faults that a test arms in its sandbox, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from outlook_emulator.options import options_of
from outlook_emulator.testing.admin import Admin, AdminError
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultRule, FaultWhen

_PARTS = {"match": FaultMatch, "when": FaultWhen, "effect": FaultEffect}
_OF_PARTS = [(part, option) for part, declaration in _PARTS.items() for option in options_of(declaration)]
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
        """Whether a rule was armed by way of this object."""

    def add(self, *rules: str | Rule, header: str | None = None, **keywords: Any) -> list[dict[str, Any]]:
        """Arm rules, all of them or none; the ledger's entry of each. Raises AdminError and TypeError.

        A rule is the name of a fault or a mapping, as in a file for `serve --faults`; a mapping with `faults` is such a
        file. Keywords make one rule, of a named fault or of none: `add("throttled", operation="SendEmailV2", nth=2)`,
        `add(status=503, path="/v2/Mail*")`. Whatever is a Python word has an underscore at its end: `from_`, `break_`.
        With `header` the rules only see requests that carry it as `x-outlook-emulator-plan`.
        """
        plan = _plan(rules, keywords)
        if header is not None:
            plan["header"] = header
        added: list[dict[str, Any]] = self._admin.request("POST", "/faults", json=plan)["value"]
        self.armed = True
        return added

    def ledger(self) -> list[dict[str, Any]]:
        """Of each rule: its state, how many calls it matched, and how often it was used."""
        found: list[dict[str, Any]] = self._admin.request("GET", "/faults")["value"]
        return found

    def unused(self) -> list[dict[str, Any]]:
        """The rules that never did anything, apart from optional ones."""
        return [one for one in self.ledger() if one["used"] == 0 and not one.get("optional")]

    def clear(self) -> None:
        """Drop all rules, and what the ledger knows of them."""
        self._admin.request("DELETE", "/faults")

    def complaint(self) -> str:
        """What to tell of the unused rules, with the calls that nearly met each; empty where there are none."""
        return "\n".join(line for one in self.unused() for line in self._lines(one))

    def _lines(self, facts: Mapping[str, Any]) -> Iterator[str]:
        matched = facts.get("matched", 0)
        why = f"matching calls: {matched}, none of them when it was to act" if matched else "no call matched"
        yield f"The fault '{facts['name']}' was never used: {why}."
        for one in self._misses(facts):
            yield f"  nearly: {shown(one)}"

    def _misses(self, facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        match = facts.get("rule", {}).get("match")
        if facts.get("matched") or not match:
            return []
        try:
            found: list[Mapping[str, Any]] = self._admin.request("POST", "/journal/query", json=match)["nearMisses"]
        except AdminError:
            # What a rule can match need not be what the journal can be asked for.
            return []
        return found[:3]


def shown(entry: Mapping[str, Any]) -> str:
    """An entry of the journal in one line."""
    differs = ", ".join(entry.get("differs", ()))
    text = f"{entry.get('operation') or 'no operation'} of {entry.get('connection') or 'no connection'}"
    text += f", answered {entry.get('status')}"
    return f"{text}; differs in: {differs}" if differs else text


def _plan(rules: tuple[str | Rule, ...], keywords: Mapping[str, Any]) -> dict[str, Any]:
    if keywords:
        if len(rules) > 1 or not all(isinstance(one, str) for one in rules):
            raise TypeError("keywords describe one rule, of a fault that is named or of none")
        return {"faults": [_rule([*rules], dict(keywords))]}
    if len(rules) == 1 and not isinstance(rules[0], str) and "faults" in rules[0]:
        return dict(rules[0])
    return {"faults": [{"effect": one} if isinstance(one, str) else dict(one) for one in rules]}


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
