"""`deviations.toml`: every entry is whole, and names operations and settings that exist."""

from __future__ import annotations

import pytest

from outlook_contract.deviations import Deviation, Kind, load, parse
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.settings import options
from tools.docs_tables import deviations

ENTRY = """
[[deviation]]
name = "sizes"
kind = "inferred"
operations = ["GetEmail*"]
member = "Size"
ours = "a"
theirs = "b"
evidence = "c"
"""


def test_names_are_unique() -> None:
    """No two deviations have the same name."""
    names = [deviation.name for deviation in load()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("deviation", load(), ids=lambda deviation: deviation.name)
def test_each_names_operations_and_settings_that_exist(deviation: Deviation) -> None:
    """Each pattern fits an operation, a setting is one of the server's, and no text is empty."""
    for pattern in deviation.operations:
        single = Deviation(**{**vars(deviation), "operations": (pattern,)})
        assert any(single.concerns(operation.id) for operation in OPERATIONS), pattern
    assert deviation.setting is None or deviation.setting in {option.name for option in options()}
    assert deviation.ours
    assert deviation.theirs
    assert deviation.evidence


@pytest.mark.parametrize("kind", Kind)
def test_the_table_shows_each_deviation(kind: Kind) -> None:
    """The documentation's table of a kind has a line for each deviation, with the setting that switches it."""
    lines = deviations(kind).splitlines()[2:]
    expected = [deviation for deviation in load() if deviation.kind is kind]
    assert len(lines) == len(expected)
    for line, deviation in zip(lines, expected, strict=True):
        assert deviation.operations[0] in line
        assert deviation.setting is None or f"--{deviation.setting.replace('_', '-')}" in line


def test_contested_behaviour_has_a_setting() -> None:
    """Where sources disagree, a setting chooses."""
    assert [] == [entry.name for entry in load() if entry.kind is Kind.CONTESTED and entry.setting is None]


def test_concerns_the_operations_of_its_patterns() -> None:
    """A pattern with a star stands for all operations whose ids begin so."""
    (deviation,) = parse(ENTRY)
    assert deviation.kind is Kind.INFERRED
    assert deviation.concerns("GetEmailsV2")
    assert not deviation.concerns("SendEmailV2")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (ENTRY.replace('member = "Size"\n', ""), "lacks member"),
        (ENTRY + 'colour = "red"\n', "unknown members: colour"),
        (ENTRY.replace("inferred", "guessed"), "guessed"),
    ],
)
def test_an_entry_that_is_not_whole_is_an_error(entry: str, text: str) -> None:
    """A missing member, an unknown one and an unknown kind are errors that name it."""
    with pytest.raises(ValueError, match=text):
        parse(entry)
