"""How Sphinx builds the documents; `make docs` runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import docs_tables

project = "Outlook Connector Emulator"
copyright = "Outlook Connector Emulator contributors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_extra_path = ["llms.txt"]


def setup(app: Any) -> None:
    """Add the tables that only the site has. Sphinx calls this with its application."""

    def fill_in(app: Any, name: str, source: list[str]) -> None:
        source[0] = docs_tables.built(source[0])

    app.connect("source-read", fill_in)
