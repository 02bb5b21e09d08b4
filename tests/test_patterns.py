"""Patterns that are compiled when they are first used behave as compiled ones."""

from __future__ import annotations

import re

import pytest

from outlook_emulator.patterns import pattern


def test_a_pattern_is_compiled_for_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled where a pattern is declared, and once where a method is used again and again."""
    compiled: list[tuple[str, int]] = []
    compile = re.compile

    def noting(text: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append((text, flags))
        return compile(text, flags)

    monkeypatch.setattr(re, "compile", noting)
    word = pattern("[a-z]+", re.IGNORECASE)
    assert [] == compiled

    assert ["Ab", "c"] == [match[0] for match in word.finditer("Ab c")]
    assert ["d", "E"] == [match[0] for match in word.finditer("d E")]
    assert [("[a-z]+", re.IGNORECASE)] == compiled
    assert "-1-" == word.sub("-", "a1b")


def test_bytes() -> None:
    """A pattern may be one of bytes."""
    assert pattern(b"a+").fullmatch(b"aa")
