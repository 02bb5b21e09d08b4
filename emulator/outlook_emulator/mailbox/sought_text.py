"""A text that is looked for in mail bodies."""

from __future__ import annotations

from functools import lru_cache
from html.entities import html5

_LONGEST_WORD = 40
_SIGMAS = "\u03c3\u03c2"


class SoughtText:
    """A text that is looked for in bodies, without case, as they were sent and as a reader sees them.

    To extract what a reader sees costs much more than to look at the body. So `may_show` first tells whether that can
    contain the text where the body does not.
    """

    def __init__(self, text: str) -> None:
        self.lowered = text.lower()
        # What shows the text shows its longest word, and the start of that.
        self._word = max(self.lowered.split(), key=len, default="")[:_LONGEST_WORD]
        self._is_part = self._word != self.lowered
        # Whether a sigma is lowered to the form at the end of a word depends on what follows.
        self._is_plain = bool(self._word) and not any(sigma in self._word for sigma in _SIGMAS)
        self._signs = _signs(self._word) if self._is_plain else ()

    def may_show(self, body: str) -> bool:
        """Whether the visible text of a body, which is in lower case, may contain the text."""
        if not self._is_plain or (self._is_part and self._word in body):
            return True
        return any(map(body.__contains__, self._signs))


def _signs(word: str) -> tuple[str, ...]:
    """Texts of which a body has one if a word that it does not contain is in what it shows.

    Something that is not shown interrupts the word then, or an entity stands for a part of it. It begins with a `<` or
    with an `&`, behind the first letters of the word or in place of all.
    """
    interrupted = [f"{word[:length]}{mark}" for length in range(1, len(word)) for mark in "<&"]
    return (*interrupted, "&#", *_entities(word[0]))


@lru_cache(maxsize=128)
def _entities(letter: str) -> tuple[str, ...]:
    """The starts of the entities whose text has a letter, all in lower case."""
    return tuple({f"&{name.lower()}" for name, shown in html5.items() if letter in shown.lower()})
