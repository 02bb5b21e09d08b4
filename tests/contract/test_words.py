"""The placeholders of words and files: the same for the same, whatever text they stand in."""

from __future__ import annotations

import re

import pytest

from outlook_contract.words import Words, is_placeholder, same


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Budget for Quarter", []),
        ('<p style="color:red" title="Budget">Q3 &amp; more</p>', ["<p", "style", "color", "red", "title", "p"]),
        ("see https://fabrikam.example/budget?team=sales", ["https"]),
        ("budget 2026.pdf", ["pdf"]),
        ("Sent: Monday, March 2, 2026 9:00 AM", ["Sent", "Monday", "March", "2", "2026", "9", "00", "AM"]),
        ("from 2026-03-04T10:00:00Z on, 12 of them", ["from", "2026", "03", "04T10", "00", "00Z", "on", "12", "of"]),
        ("Subject, Inbox and isRead", ["Subject", "Inbox", "and", "isRead"]),
        ("<Budget Plan> and <https://fabrikam.example/>", ["and", "https"]),
        ("+47 555 01234", ["47", "555"]),
        ("東京 Grüße", []),
    ],
)
def test_what_stays(text: str, kept: list[str]) -> None:
    """Markup, times, short numbers, extensions and what the definition names stay; no other word does."""
    before, after = (re.findall(r"[^\W_]+", part) for part in (text, Words().text(text)))

    assert len(before) == len(after) or "&amp;" in text
    allowed = {*kept, "amp"}
    assert [] == [word for word in after if word not in allowed and not is_placeholder(word)]


def test_the_same_word_has_the_same_placeholder() -> None:
    """Case is kept, and a character reference is a letter; other words have other placeholders."""
    words = Words()
    first = words.text("Menü")

    assert first.lower() == words.text("menü")
    assert first.upper() == words.text("MENÜ")
    assert f"<b>{first}</b>" == words.text("<b>Men&uuml;</b>")
    assert first != words.text("Mens")
    assert (4, True) == (len(first), is_placeholder(first))


def test_there_is_a_placeholder_for_each_word() -> None:
    """A placeholder grows when all of its length are in use; none stands for two words."""
    words = Words()
    every = [f"{first}{second}" for first in "abcdefghkl" for second in "bcdfghpqrx"]

    assert len(set(every)) == len({words.text(word) for word in every})


def test_literals_of_a_filter() -> None:
    """Only the literals of a filter are texts."""
    words = Words()
    expression = words.literals("contains(Subject,'Budget''s') and Start/DateTime ge '2026-03-04T10:00:00'")

    assert f"contains(Subject,'{words.text('Budget')}''s') and Start/DateTime ge '2026-03-04T10:00:00'" == expression


def test_only_some_words() -> None:
    """In the texts of others, only known words are replaced."""
    words = Words()
    placeholder = words.text("Budget")

    assert f"The name '{placeholder}' is taken" == words.text("The name 'Budget' is taken", {"budget"})


def test_files() -> None:
    """A file is replaced by one of the same length, and the same file by the same; bytes that are no text stay so."""
    words = Words()
    first, second = words.file(b"\x89PNG" * 100), words.file(b"\x00PNG" * 100)

    assert (400, 400) == (len(first), len(second))
    assert first != second
    assert first == words.file(b"\x89PNG" * 100)
    assert not first.isascii()
    assert words.file(b"Budget").isascii()
    assert b"" == words.file(b"")


@pytest.mark.parametrize(
    ("recorded", "seen", "expected"),
    [
        ("qjxz Plan", "qjxz Plan", True),
        ("Qjxz: qqqq", "Accepted: qqqq", True),
        ("qjxz: qqqq", "Accepted: qqqj", False),
        ("qjxz qqqq", "Accepted", False),
        ("Plan", "Other", False),
        ("qjxz-qqqq", "Accepted qqqq", False),
    ],
)
def test_texts_with_placeholders_are_compared(recorded: str, seen: str, expected: bool) -> None:
    """The placeholder of the connector's own word stands for any word, but for no other placeholder."""
    assert expected == same(recorded, seen)
