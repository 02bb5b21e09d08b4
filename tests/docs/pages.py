"""Reading the documents: their code blocks, the commands in them, and the output that is printed below each command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.paths import ROOT

DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
"""The documents for users, by their path from the root of the repository."""

_BLOCK = re.compile(r"(?:^<!-- file: (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONTINUED = re.compile(r"\\\n\s*")


class Block(NamedTuple):
    """A fenced code block. `file` is set where the page gives the text as the content of a file."""

    language: str
    text: str
    file: str | None


class Command(NamedTuple):
    """A command of a console block, on one line, and the output that the page shows for it."""

    line: str
    output: str


@dataclass(frozen=True)
class Page:
    """A document and its code blocks."""

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))

    @property
    def blocks(self) -> list[Block]:
        return [Block(language, text, file or None) for file, language, text in _BLOCK.findall(self.text)]

    @property
    def commands(self) -> list[Command]:
        """Every command of the console blocks, in order."""
        return [command for block in self.blocks if block.language == "console" for command in _commands(block.text)]

    @property
    def files(self) -> dict[str, str]:
        """The files that the page shows, by name."""
        return {block.file: block.text for block in self.blocks if block.file}

    @property
    def scripts(self) -> list[str]:
        """The Python blocks that are not tests."""
        return [block.text for block in self._python if "def test_" not in block.text]

    @property
    def tests(self) -> list[str]:
        """The Python blocks that are whole test files."""
        return [block.text for block in self._python if "def test_" in block.text]

    @property
    def links(self) -> list[str]:
        """The targets of the page's links to other files, without their anchors."""
        prose = _BLOCK.sub("", self.text)
        targets = (target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose))
        return [target for target in targets if target and "://" not in target]

    @property
    def _python(self) -> list[Block]:
        return [block for block in self.blocks if block.language == "python"]


def pages() -> list[Page]:
    """Every document for users."""
    return [Page.read(path) for path in PAGES.values()]


def _commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", _CONTINUED.sub(" ", block), flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output.strip())


def matches(expected: str, actual: str) -> bool:
    """Whether an output is the expected one; `…` stands for any text."""
    text = actual.replace("\r\n", "\n").strip()
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), text, re.DOTALL) is not None
