"""Work on long texts in short steps, with the same results as in one.

A call into C such as `re.sub` on megabytes lets no other thread run until it is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STEP = 256 * 1024
"""Characters or bytes that one step works on; what is shorter is no long text."""
_BLANK = re.compile(r"\s")


def lowered(text: str) -> str:
    """A text in lower case, as `str.lower` except for a sigma at the end of a word."""
    if len(text) <= STEP:
        return text.lower()
    return "".join([text[start : start + STEP].lower() for start in range(0, len(text), STEP)])


def substituted(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """A text with a plain replacement for each match of the pattern."""
    if len(text) <= STEP:
        # A function, since a text would be read as a template.
        return pattern.sub(lambda match: replacement, text)
    pieces = split(pattern, text)
    return replacement.join(pieces)


def split(pattern: re.Pattern[str], text: str) -> list[str]:
    """The texts between the matches of a pattern and, in turn with them, the first group if the pattern has one."""
    if len(text) <= STEP:
        return pattern.split(text)
    pieces: list[str] = []
    end = 0
    for match in pattern.finditer(text):
        pieces.append(text[end : match.start()])
        if pattern.groups:
            pieces.append(match[1])
        end = match.end()
    pieces.append(text[end:])
    return pieces


def words(text: str) -> str:
    """A text with one blank for each run of blanks, and none at its ends."""
    if len(text) <= STEP:
        return " ".join(text.split())
    return " ".join(filter(None, (" ".join(part.split()) for part in cut(_BLANK, text))))


def cut(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """The parts of a text, which begin with a match of the pattern and are hardly longer than a step."""
    start = 0
    while start < len(text):
        match = pattern.search(text, start + STEP)
        end = len(text) if match is None else match.start()
        yield text[start:end]
        start = end
