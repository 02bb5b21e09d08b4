"""An emulator that is broken in one place, and how a process gets it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from tests.paths import ROOT

PACKAGE = "outlook_emulator"


class SwapError(Exception):
    """A swap does not fit the source of the emulator any more."""


class Swap(NamedTuple):
    """A broken emulator: in one module of the emulator, `text` is `replacement`. `name` says what is wrong."""

    name: str
    module: str
    text: str
    replacement: str

    @property
    def full_module(self) -> str:
        return f"{PACKAGE}.{self.module}"

    def path(self) -> Path:
        """The file of the module. Raises SwapError."""
        start = ROOT / "emulator" / PACKAGE / Path(*self.module.split("."))
        for path in (start.with_suffix(".py"), start / "__init__.py"):
            if path.is_file():
                return path
        raise SwapError(f"{self.name}: there is no module {self.full_module}")

    def source(self) -> str:
        """The source of the broken module. Raises SwapError."""
        source = self.path().read_text(encoding="utf-8")
        if (count := source.count(self.text)) != 1:
            raise SwapError(f"{self.name}: {self.full_module} holds {self.text!r} {count} times instead of once")
        return source.replace(self.text, self.replacement)

    def code(self) -> CodeType:
        """The broken module, compiled. Raises SwapError."""
        try:
            code: CodeType = compile(self.source(), str(self.path()), "exec", dont_inherit=True)
        except SyntaxError as error:
            raise SwapError(f"{self.name}: {self.full_module} would not be Python any more: {error}") from error
        return code


def break_emulator(swap: Swap) -> None:
    """Break the emulator that this process imports later. Raises SwapError."""
    if swap.full_module in sys.modules:
        raise SwapError(f"{swap.name}: {swap.full_module} is imported already")
    sys.meta_path.insert(0, _Finder(swap.full_module, swap.code()))


class _Finder(MetaPathFinder):
    def __init__(self, module: str, code: CodeType) -> None:
        self._module = module
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self._code)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code
