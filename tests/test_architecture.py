"""The layers of the package, read from its imports: all dependencies point one way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import outlook_emulator
from outlook_emulator import enums
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.wire.schemas import describe_all

pytestmark = pytest.mark.slow

PACKAGE = Path(outlook_emulator.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
VOCABULARY = {
    "access_tokens",
    "clock",
    "content_limits",
    "descriptors",
    "enums",
    "errors",
    "frozen",
    "ids",
    "odata",
    "options",
    "patterns",
    "quiet_log",
    "recent",
    "seed_folder",
    "settings",
    "steps",
    "slices",
    "timezones",
}
"""The parts that every part may import."""

MAY_IMPORT: dict[str, set[str]] = {
    "store": set(),
    "mailbox": {"store"},
    "wire": {"mailbox", "store"},
    "operations": {"wire", "mailbox"},
    "traffic": set(),
    "sandbox": {"traffic", "mailbox", "store"},
    "server": {"sandbox", "operations", "traffic", "wire", "mailbox", "store"},
    "parts": {"server", "sandbox", "operations"},
    "app": {"parts", "server"},
    "early_app": {"app", "parts", "server", "sandbox"},
    "certificates": set(),
    "sockets": {"server"},
    "serving": {"early_app", "app", "parts", "sockets", "sandbox", "wire", "store", "certificates"},
    "client": {"certificates"},
    "environment": {"client", "certificates"},
    "logic_apps": set(),
    "testing": {"serving", "app", "server", "traffic", "client", "environment"},
    "pytest_plugin": {"testing", "client"},
    "cli": {"serving", "server", "operations", "traffic", "client", "environment", "certificates", "logic_apps"},
    "__main__": {"cli"},
}
"""The further parts that each part may import."""

FOLDERS: dict[str, dict[str, set[str]]] = {
    "mailbox": {
        "formats": set(),
        "contacts": set(),
        "mail": {"formats"},
        "calendar": {"formats", "mail"},
        "triggers": {"formats", "mail", "calendar"},
        "approvals": {"mail", "triggers"},
    },
    "server": {
        "connector": set(),
        "faults": {"connector"},
        "journal": {"connector"},
        "identity": set(),
        "limits": {"connector"},
        "webhooks": {"connector"},
        "admin": {"connector", "faults", "journal", "limits", "webhooks"},
        "web": {"admin", "connector", "faults", "journal", "limits", "webhooks"},
    },
    "store": {"schema": set()},
}
"""The folders of each part, and the other folders of the part that each may import. All of them may import the modules
beside them, which must not import any of the folders.
"""

OUTSIDE = {
    "sqlalchemy": {"store"},
    "sqlmodel": {"store"},
    "sqlite3": {"store"},
    "starlette": {"server", "parts", "app", "early_app", "serving"},
    "uvicorn": {"serving", "sockets"},
    "trustme": {"certificates"},
    "certifi": {"certificates"},
    "pytest": {"pytest_plugin"},
    "httpx": {"server", "testing"},
    "jinja2": {"server"},
    "aiohttp": {"testing"},
    "azure": {"testing"},
    "pydantic": {"wire"},
    "lark": {"odata"},
    "tzlocal": {"timezones"},
    "dateutil": {"mailbox"},
    "icalendar": {"mailbox"},
    "webencodings": {"mailbox"},
}
"""The only parts that may import a package from outside."""

RETIRED = frozenset(
    {"asking", "attended", "chance", "conduct", "departure", "departures", "doors", "holding", "inquiry"}
    | {"plant", "pushing", "refusals", "stamps", "strike", "strikes", "struck"}
)
"""Words of an earlier vocabulary, for which the field has terms of its own."""


VAGUE = frozenset({"found", "given", "made", "one", "told"})
"""Variable names that say nothing about the thing."""

ENUMERATIONS = frozenset(
    name for name, kind in vars(enums).items() if isinstance(kind, type) and issubclass(kind, Enum)
)


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def part_of(module: str) -> str:
    """Return the first name below the package, a folder or a module; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def subfolder_of(module: str) -> str:
    """Return the folder of a module inside its part; empty for a module beside the folders."""
    return ".".join(folder_of(module).split(".")[2:])


def folder_of(module: str) -> str:
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def imports(module: str) -> Iterator[str]:
    """Yield all modules that a module imports; a name imported from one of our packages counts as a module."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if name in MODULES else node.module for name in names)


INNER = [module for module in MODULES if module != "outlook_emulator"]
_SCHEMA = "outlook_emulator.store.schema"


@cache
def imports_of(module: str) -> list[str]:
    """Return the other modules of the package that a module imports."""
    return sorted(set(imports(module)) & MODULES.keys() - {module})


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names along a cycle of a graph, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names
    return []


def test_the_tables_are_complete() -> None:
    """The tables list exactly the parts and folders that exist."""
    parts = {part_of(module) for module in INNER}
    folders = {(part_of(module), subfolder_of(module)) for module in INNER}

    assert VOCABULARY | MAY_IMPORT.keys() == parts
    assert {(part, folder) for part in FOLDERS for folder in FOLDERS[part]} == {pair for pair in folders if pair[1]}


def test_the_tables_point_one_way() -> None:
    """The tables contain no cycles and no permission that is not needed."""
    needed = {(part_of(module), part_of(name)) for module in INNER for name in imports_of(module)}

    assert [] == cycle(MAY_IMPORT)
    assert [] == [edge for part in FOLDERS for edge in cycle(FOLDERS[part])]
    assert [] == [(part, other) for part in MAY_IMPORT for other in MAY_IMPORT[part] if (part, other) not in needed]


def test_dependencies_point_down() -> None:
    """A module imports only the vocabulary, its own part, and the parts that its part may import."""
    allowed = {part: {"", part} | VOCABULARY | more for part, more in MAY_IMPORT.items()}
    allowed |= {part: {"", *VOCABULARY} for part in VOCABULARY}

    assert [] == [
        (module, name)
        for module in INNER
        for name in imports_of(module)
        if part_of(name) not in allowed[part_of(module)]
    ]


def test_folders_of_a_part_point_one_way() -> None:
    """Inside its part, a module imports only the folders that its folder may import."""
    wrong = []
    for module in INNER:
        part, folder = part_of(module), subfolder_of(module)
        allowed = {"", folder} | FOLDERS.get(part, {}).get(folder, set())
        own = [name for name in imports_of(module) if part_of(name) == part]
        wrong += [(module, name) for name in own if subfolder_of(name) not in allowed]

    assert [] == wrong


def test_modules_have_no_cycles() -> None:
    """No module imports itself through other modules, including imports in functions and for types."""
    assert [] == cycle({module: set(imports_of(module)) - {"outlook_emulator"} for module in MODULES})


def test_folders_have_no_cycles() -> None:
    """No folder imports itself through other folders; modules beside the folders are shared and may not import them."""
    graph: dict[str, set[str]] = {}
    for module in INNER:
        if (folder := folder_of(module)) != "outlook_emulator":
            others = {folder_of(name) for name in imports_of(module)} - {folder, "outlook_emulator"}
            graph.setdefault(folder, set()).update(others)

    assert [] == cycle(graph)


def test_imports_from_outside() -> None:
    """Only the listed parts import a package from outside."""
    packages = {(module, name.partition(".")[0]) for module in INNER for name in imports(module)}

    assert [] == [pair for pair in packages if part_of(pair[0]) not in OUTSIDE.get(pair[1], {part_of(pair[0])})]


def statements(module: str) -> Iterator[str]:
    """Yield the database methods that a module calls, such as `execute` in `mailbox.db.execute`."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Name):
            holder = node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id
            if holder in ("db", "_db") and node.attr in ("one", "all", "execute", "insert"):
                yield node.attr


def test_only_the_store_knows_sql() -> None:
    """Modules outside the store do not import its SQL or its tables, and do not execute statements."""
    outside = [module for module in INNER if part_of(module) != "store"]
    hidden = ("outlook_emulator.store.sql", _SCHEMA)

    assert [] == [(module, name) for module in outside for name in imports_of(module) if name.startswith(hidden)]
    assert [] == [(module, method) for module in outside for method in statements(module)]


def test_imports_are_absolute() -> None:
    """All imports are absolute, so that the other checks can see them."""
    nodes = [(module, node) for module in INNER for node in ast.walk(parsed(module))]

    assert [] == [(module, node.lineno) for module, node in nodes if isinstance(node, ast.ImportFrom) and node.level]


def identifiers(module: str) -> Iterator[str]:
    """Yield the names that a module defines: functions, classes, parameters, variables and attributes."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words_of(name: str) -> set[str]:
    """Return the words of an identifier in snake case or camel case."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def test_no_retired_word() -> None:
    """No identifier contains a retired word."""
    assert [] == [(module, name) for module in MODULES for name in identifiers(module) if words_of(name) & RETIRED]


def test_variables_name_the_thing() -> None:
    """No variable or parameter has a vague name."""
    nodes = [(module, node) for module in MODULES for node in ast.walk(parsed(module))]
    names = [(module, node.id) for module, node in nodes if isinstance(node, ast.Name)]
    names += [(module, node.arg) for module, node in nodes if isinstance(node, ast.arg)]

    assert [] == [(module, name) for module, name in names if name in VAGUE]


def wire_names() -> set[str]:
    """Return the camel-case names of parameters and of members of bodies, such as `folderPath`."""
    names = {name for row in OPERATIONS for name in row.path_parameters}
    names |= {parameter.name for row in OPERATIONS for parameter in row.parameters}
    shapes = describe_all(shape for row in OPERATIONS for shape in (row.body_shape, row.response_shape))
    names |= {name for schema in shapes.values() for name in schema.get("properties", ())}
    return {name for name in names if re.search(r"[a-z][A-Z]", name)}


def test_the_domain_knows_no_wire_names() -> None:
    """No string in the domain, apart from the file formats, is the name of a parameter or of a member of a body."""
    domain = [module for module in INNER if part_of(module) == "mailbox" and subfolder_of(module) != "formats"]
    nodes = [(module, node) for module in domain for node in ast.walk(parsed(module))]
    texts = [(module, node.value) for module, node in nodes if isinstance(node, ast.Constant)]
    names = wire_names()

    assert len(names) > 50
    assert [] == [(module, text) for module, text in texts if text in names]


def test_members_of_enumerations_are_attributes() -> None:
    """Members of enumerations are accessed as attributes, because type checkers do not check names in strings."""
    nodes = [(module, node) for module in MODULES for node in ast.walk(parsed(module))]
    names = [
        (module, ast.unparse(node))
        for module, node in nodes
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.IfExp)
    ]

    assert [] == [(module, name) for module, name in names if name.partition("[")[0] in ENUMERATIONS]


def test_modules_have_docstrings() -> None:
    """Every module starts with a docstring."""
    assert [] == [module for module in MODULES if not ast.get_docstring(parsed(module))]


@pytest.mark.parametrize("name", outlook_emulator.__all__)
def test_public_name(name: str) -> None:
    """Every public name is an attribute of the package and refers to the object of that name."""
    public = getattr(outlook_emulator, name)

    assert getattr(public, "__name__", name) == name


def test_unknown_name() -> None:
    """A name that is not public is not an attribute of the package."""
    with pytest.raises(AttributeError, match="no attribute 'Connector'"):
        _ = outlook_emulator.Connector
