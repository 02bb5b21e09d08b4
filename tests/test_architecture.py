"""The layers of the package, read from its imports: every dependency points one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import outlook_emulator

PACKAGE = Path(outlook_emulator.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
LAYERS = (
    {"clock", "enums", "errors", "ids", "odata", "options", "settings", "timezones"},
    {"store"},
    {"mailbox"},
    {"wire"},
    {"traffic", "client", "logic_apps"},
    {"operations", "sandbox"},
    {"server"},
    {"app"},
    {"serving"},
    {"cli", "testing"},
    {"pytest_plugin", "__main__"},
)
"""From the ground up. A module may import from its own part and from the layers below, not from its neighbours."""

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
    "lark": {"odata"},
    "tzlocal": {"timezones"},
    "dateutil": {"mailbox"},
    "icalendar": {"mailbox"},
    "vobject": {"mailbox"},
}
"""The only parts that may import a package from outside."""


def part_of(module: str) -> str:
    """The first name below the package, a folder or a module; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def layer_of(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def folder_of(module: str) -> str:
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def imports(module: str) -> Iterator[str]:
    """The modules that a module imports anywhere in it; names imported from a package of ours count as modules."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if name in MODULES else node.module for name in names)


IMPORTS = {module: sorted(set(imports(module)) & MODULES.keys() - {module}) for module in MODULES}
INNER = [module for module in MODULES if module != "outlook_emulator"]
_SCHEMA = "outlook_emulator.store.schema"


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The names along a cycle of a graph, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names
    return []


def test_every_part_has_a_layer() -> None:
    """Each folder and module at the top of the package is in one layer, and the layers name nothing else."""
    assert sorted(part for layer in LAYERS for part in layer) == sorted({part_of(module) for module in INNER})


@pytest.mark.parametrize("module", INNER)
def test_dependencies_point_down(module: str) -> None:
    """A module imports from its own part or from a lower layer; the vocabulary is one part."""
    own = part_of(module)
    others = [name for name in IMPORTS[module] if part_of(name) not in ("", own)]

    assert [] == [
        name for name in others if layer_of(part_of(name)) >= layer_of(own) and not {own, part_of(name)} <= LAYERS[0]
    ]


def test_modules_have_no_cycles() -> None:
    """No module imports itself by way of others, imports inside functions and for types included."""
    assert [] == cycle({module: set(names) - {"outlook_emulator"} for module, names in IMPORTS.items()})


def test_folders_have_no_cycles() -> None:
    """No folder imports itself by way of others; the modules at the top of a layer are what its folders share."""
    graph: dict[str, set[str]] = {}
    for module in INNER:
        if (folder := folder_of(module)) != "outlook_emulator":
            others = {folder_of(name) for name in IMPORTS[module]} - {folder, "outlook_emulator"}
            graph.setdefault(folder, set()).update(others)

    assert [] == cycle(graph)


@pytest.mark.parametrize("module", INNER)
def test_only_some_import_from_outside(module: str) -> None:
    """Only the store knows the database, and only what serves knows the web framework."""
    part = part_of(module)
    packages = {name.partition(".")[0] for name in imports(module)}

    assert set() == {name for name in packages if part not in OUTSIDE.get(name, {part})}


@pytest.mark.parametrize("module", [name for name in INNER if part_of(name) != "store"])
def test_only_the_store_knows_sql(module: str) -> None:
    """Modules outside the store import neither its statements nor the tables, and run no statements."""
    attributes = [
        node.attr
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Name)
        if (node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id) in ("db", "_db")
    ]

    assert [] == [name for name in IMPORTS[module] if name.startswith(("outlook_emulator.store.sql", _SCHEMA))]
    assert set() == {"one", "all", "execute", "insert"} & set(attributes)


@pytest.mark.parametrize("module", INNER)
def test_imports_are_absolute(module: str) -> None:
    """Imports are spelled out, so that the other checks can see them."""
    nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))

    assert [] == [node.lineno for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_docstring(module: str) -> None:
    """Every module starts with a docstring."""
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", outlook_emulator.__all__)
def test_public_name(name: str) -> None:
    """Every public name is an attribute of the package, and is the object of that name."""
    public = getattr(outlook_emulator, name)

    assert getattr(public, "__name__", name) == name


def test_unknown_name() -> None:
    """A name that is not public is no attribute of the package."""
    with pytest.raises(AttributeError, match="no attribute 'Connector'"):
        _ = outlook_emulator.Connector
