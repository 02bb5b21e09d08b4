"""The shape of the house, read from the source: layers, and the arrows between them, which point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import emulator

ROOT = Path(emulator.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
LIMIT = 400
LAYERS = (
    ("settings", "clock", "enums", "errors", "ids", "odata", "timezones"),
    ("client", "json_text", "kept_files", "connection_files"),
    ("store",),
    ("mailbox",),
    ("wire",),
    ("operations",),
    ("seeds", "seeds_generated"),
    ("conduct",),
    ("facts", "imports", "sandbox", "sandboxes"),
    ("server",),
    ("app", "serving"),
    ("cli",),
    ("testing",),
    ("pytest_plugin",),
)
"""From the ground up: a module may import from its own layer and from those below."""

FORBIDDEN = {
    "wire": ("sandbox", "sandboxes", "seeds"),
    "operations": ("sandbox", "sandboxes", "seeds"),
    "conduct": ("store", "mailbox", "wire", "operations", "seeds"),
    "sandbox": ("sandboxes", "wire", "operations"),
    "sandboxes": ("wire", "operations"),
}
"""Arrows that point down and are not drawn all the same: shapes and rows know no sandbox, a sandbox knows neither,
nor the registry it is in."""

OUTSIDE = {
    "sqlalchemy": {"store"},
    "sqlmodel": {"store"},
    "sqlite3": {"store"},
    "starlette": {"server", "app", "serving"},
    "uvicorn": {"serving"},
    "trustme": {"serving"},
    "pytest": {"pytest_plugin"},
    "httpx": {"server", "testing"},
    "aiohttp": {"testing"},
    "azure": {"testing"},
    "pydantic": {"wire"},
    "faker": {"seeds_generated"},
    "odata_query": {"odata"},
    "tzlocal": {"timezones"},
    "dateutil": {"mailbox"},
    "icalendar": {"mailbox"},
    "vobject": {"mailbox"},
}
"""Which parts may import a package from outside; everything else may not."""


def part_of(module: str) -> str:
    """The first name below the package: a folder or a module; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def rank(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def imports(module: str) -> Iterator[str]:
    """The modules that a module imports anywhere in it; names imported from a package of ours count as modules."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{one.name}" for one in node.names]
            yield from (name if name in MODULES else node.module for name in names)


def ours(module: str) -> list[str]:
    """The parts of the emulator that a module imports from."""
    return [part_of(one) for one in imports(module) if one.startswith("emulator.")]


INNER = [module for module in MODULES if module != "emulator"]


def test_every_part_has_a_layer() -> None:
    """Each folder and module at the top of the package stands in the picture, and the picture names no other."""
    assert {part for layer in LAYERS for part in layer} == {part_of(one) for one in INNER}


@pytest.mark.parametrize("module", INNER)
def test_arrows_point_down(module: str) -> None:
    """A module imports from its own layer or from one below."""
    part = part_of(module)

    assert [] == [one for one in ours(module) if rank(one) > rank(part)]


@pytest.mark.parametrize("module", INNER)
def test_no_arrow_cuts_across(module: str) -> None:
    """Some parts have nothing to say to each other, though one stands above the other."""
    forbidden = FORBIDDEN.get(part_of(module), ())

    assert [] == [one for one in ours(module) if one in forbidden]


@pytest.mark.parametrize("module", INNER)
def test_only_some_know_what_is_outside(module: str) -> None:
    """The database is known to the store alone, the web framework to what serves."""
    part = part_of(module)
    packages = {one.partition(".")[0] for one in imports(module)}

    assert set() == {one for one in packages if part not in OUTSIDE.get(one, {part})}


@pytest.mark.parametrize("module", INNER)
def test_no_import_is_relative(module: str) -> None:
    """Imports are spelled out, so that the other checks can see them."""
    nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))

    assert [] == [node.lineno for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_is(module: str) -> None:
    """Every module starts with a docstring."""
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"emulator.store.sql"}))
def test_module_is_short(module: str) -> None:
    """A module that needs a table of contents is split."""
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) < LIMIT


@pytest.mark.parametrize("name", emulator.__all__)
def test_public_name(name: str) -> None:
    """Every public name can be had from the package, and is the thing of that name."""
    assert getattr(emulator, name).__name__ == name


def test_unknown_name() -> None:
    """A name that is not public is no attribute of the package."""
    with pytest.raises(AttributeError, match="no attribute 'Connector'"):
        _ = emulator.Connector
