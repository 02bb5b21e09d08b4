"""Property-based tests of patched Logic Apps projects: any layout, exact changes and an exact restore."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.logic_apps import connections
from outlook_emulator.logic_apps.connections import Options
from outlook_emulator.logic_apps.key import KEY

URL = "http://127.0.0.1:4365"
NAMES = ("connections.json", "local.settings.json", "parameters.json")
STRICT = ["", " ", "\n", "\n    ", "\r\n\t"]
LENIENT = [*STRICT, "// it's {\n", '/* " */', "\t//\r\n"]


class Hole(NamedTuple):
    """A value that the patch may replace."""

    value: Any


class Open(dict[str, Any]):
    """An object to which the patch may add one member."""


class Layout(NamedTuple):
    """How a JSON text is written: the gaps between tokens, used in turn, and the form of strings."""

    gaps: list[str]
    ascii: bool
    mark: bool
    commas: bool

    @property
    def is_strict(self) -> bool:
        return not self.mark and not self.commas and set(self.gaps) <= set(STRICT)


class Written(NamedTuple):
    """A JSON text, and a pattern that matches it after any change of its holes."""

    text: str
    pattern: str


def written(value: Any, layout: Layout) -> Written:
    pieces = [*_pieces(value, layout, cycle(layout.gaps)), (layout.gaps[0], False)]
    mark = "\ufeff" if layout.mark else ""
    text = mark + "".join(piece for piece, _ in pieces)
    return Written(text, re.escape(mark) + "".join(".*?" if hole else re.escape(piece) for piece, hole in pieces))


def _pieces(value: Any, layout: Layout, gaps: Iterator[str]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a value's text, each with whether the patch may replace it."""
    yield next(gaps), False
    if isinstance(value, Hole):
        yield "".join(piece for piece, _ in _pieces(value.value, layout, cycle([""]))), True
    elif isinstance(value, dict):
        yield "{", False
        if isinstance(value, Open) and not value:
            yield "", True
        for number, (name, member) in enumerate(value.items()):
            last = number == len(value) - 1
            yield next(gaps), False
            yield json.dumps(name, ensure_ascii=layout.ascii), False
            yield f"{next(gaps)}:", False
            yield from _pieces(member, layout, gaps)
            if last and isinstance(value, Open):
                yield "", True
            yield next(gaps), False
            yield "" if last and not layout.commas else ",", False
        yield next(gaps), False
        yield "}", False
    elif isinstance(value, list):
        yield "[", False
        for number, member in enumerate(value):
            yield "," if number else "", False
            yield from _pieces(member, layout, gaps)
            yield next(gaps), False
        yield "]", False
    else:
        yield json.dumps(value, ensure_ascii=layout.ascii), False


class Files(NamedTuple):
    """The three files of a project with their holes, and the layout of each."""

    contents: tuple[Any, Any, Any]
    layouts: tuple[Layout, Layout, Layout]


def plain(value: Any) -> Any:
    """Return a value without its holes."""
    value = value.value if isinstance(value, Hole) else value
    return {name: plain(member) for name, member in value.items()} if isinstance(value, dict) else value


_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_OTHER = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner)
)
_KNOWN = {"api", "connectionruntimeurl", "authentication", "managedapiconnections", "values", "isencrypted", "id"}
_EXTRAS = st.dictionaries(_TEXT.filter(lambda name: name.casefold() not in _KNOWN), _OTHER, max_size=2)
_PATHS = st.from_regex(r"\A(?:/[\w.~%@-]{0,6}){0,4}\Z")


def layouts() -> st.SearchStrategy[Layout]:
    gaps = st.lists(st.sampled_from(STRICT), min_size=1, max_size=5)
    lenient = st.lists(st.sampled_from(LENIENT), min_size=1, max_size=5)
    strict = st.builds(Layout, gaps, st.booleans(), st.just(False), st.just(False))
    return strict | st.builds(Layout, lenient, st.booleans(), st.booleans(), st.booleans())


@st.composite
def projects(draw: st.DrawFn) -> Files:
    """Generate a project with connections of the connector whose values are in the file, a setting or a parameter."""
    values, parameters, entries = Open(), {}, {}
    numbers = count()

    def refer_to(value: Any, text_only: bool = True) -> Any:
        """Return the value, or a reference to an app setting or a parameter that contains it."""
        kind = draw(st.sampled_from(["", "appsetting", "parameters"] if text_only else ["", "parameters"]))
        name = f"n{next(numbers)}"
        if kind == "appsetting":
            values[name] = value
        elif kind == "parameters":
            parameters[name] = {"type": "x", "value": refer_to(value) if text_only and draw(st.booleans()) else value}
        return draw(st.sampled_from([f"@{kind}('{name}')", f"@{{{kind}('{name}')}}"])) if kind else value

    for name in draw(st.lists(_TEXT, min_size=1, max_size=3, unique_by=str.casefold)):
        url = draw(st.sampled_from(["http", "https"])) + "://old.test:1" + draw(_PATHS)
        key = draw(st.sampled_from(["", "key", "@appsetting('none')"]))
        raw = Open(type="Raw", scheme="Key", **({"parameter": Hole(key)} if draw(st.booleans()) else {}))
        kind = draw(st.sampled_from(["ManagedServiceIdentity", "ActiveDirectoryOAuth"]))
        authentication = draw(st.sampled_from([None, raw, Hole({"type": kind, **draw(_EXTRAS)}), Hole("none")]))
        if isinstance(plain(authentication), dict):
            authentication = refer_to(authentication, text_only=False)
        entry = {"connectionRuntimeUrl": refer_to(Hole(url)), **draw(_EXTRAS)}
        if authentication is not None:
            entry["authentication"] = authentication
        entries[name] = Open(api={"id": "/x/managedApis/outlook"}) | entry
        entries[name] = Open(entries[name])
    main = {**draw(_EXTRAS), "managedApiConnections": entries, **draw(_EXTRAS)}
    app_settings = {"IsEncrypted": False, "Values": values}
    return Files((main, app_settings, parameters), draw(st.tuples(layouts(), layouts(), layouts())))


def resolve(project: list[Any], value: Any) -> Any:
    """Resolve a reference with an independent, simpler implementation."""
    match = re.fullmatch(r"@\{?(\w+)\('(.*?)'\)\}?", value) if isinstance(value, str) else None
    if match is None:
        return value
    held = project[1]["Values"][match[2]] if match[1] == "appsetting" else project[2][match[2]]["value"]
    return resolve(project, held)


@pytest.mark.slow
@settings(deadline=None)
@given(projects())
def test_patch_and_restore(files: Files) -> None:
    """A patch changes only holes, every connection points at the emulator, and a restore returns the original bytes."""
    texts = [written(content, layout) for content, layout in zip(files.contents, files.layouts, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in NAMES]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text.text.encode())
        connections.patch(paths[0], URL, Options(dry_run=True))
        assert [text.text.encode() for text in texts] == [path.read_bytes() for path in paths]
        connections.patch(paths[0], URL)
        patched = [path.read_bytes().decode() for path in paths]
        again = connections.patch(paths[0], URL)
        connections.restore(paths[0])
        restored = [path.read_bytes() for path in paths]
        left = {path.name for path in Path(folder).iterdir()}

    fits = [re.fullmatch(pair.pattern, text, re.DOTALL) for text, pair in zip(patched, texts, strict=True)]
    assert all(fits), patched
    assert ([text.text.encode() for text in texts], set(NAMES)) == (restored, left)
    assert [] == again.edits
    if all(layout.is_strict for layout in files.layouts):
        check([json.loads(text) for text in patched], plain(files.contents[0])["managedApiConnections"], files)


def check(project: list[Any], before: Any, files: Files) -> None:
    """Every connection points at the emulator with its original path and a credential that works locally."""
    old = [plain(content) for content in files.contents]
    for name, entry in project[0]["managedApiConnections"].items():
        was = resolve(old, before[name]["connectionRuntimeUrl"])
        assert re.sub("^https?://old.test:1", lambda _: URL, was) == resolve(project, entry["connectionRuntimeUrl"])
        authentication = resolve(project, entry["authentication"])
        assert ("Raw", KEY) == (authentication["type"], resolve(project, authentication["parameter"]))
