"""Frozen dataclasses that take little time to define."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import partial
from operator import attrgetter
from typing import Any, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen:
    """The base of a frozen dataclass, used like `@dataclass(frozen=True)`; `eq=False` compares by identity.

    The decorator compiles six methods for each class, which for all classes together would take a fifth of the start
    of a server. Here they share theirs. `fields`, `replace` and `asdict` work as for every dataclass.
    """

    # Without annotations, which would be among the type hints of every class.
    _names = _required = frozenset[str]()
    _factories = dict[str, Callable[[], Any]]()
    _values = attrgetter("__dict__")

    def __init_subclass__(cls, *, kw_only: bool = False, eq: bool = True) -> None:
        # Generic classes note their parameters there.
        super().__init_subclass__()
        dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        declared = fields(cls)  # type: ignore[arg-type]
        cls._names = frozenset(each.name for each in declared)
        cls._factories = {each.name: factory for each in declared if (factory := _factory(each)) is not None}
        cls._required = frozenset(each.name for each in declared if each.default is MISSING) - cls._factories.keys()
        # With the class, since a class may have no fields.
        cls._values = attrgetter("__class__", *cls._names)
        if not eq:
            cls.__eq__ = object.__eq__  # type: ignore[method-assign]
            cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    def __init__(self, *arguments: Any, **values: Any) -> None:
        if arguments:
            values = {**self._named(arguments, values), **values}
        # The defaults are attributes of the class.
        for name, make in self._factories.items():
            if name not in values:
                values[name] = make()
        if not self._required <= values.keys() <= self._names:
            missing, unknown = sorted(self._required - values.keys()), sorted(values.keys() - self._names)
            raise TypeError(f"{type(self).__name__}: missing fields {missing}, unknown fields {unknown}")
        self.__dict__.update(values)

    def _named(self, arguments: tuple[Any, ...], values: Mapping[str, Any]) -> dict[str, Any]:
        """The positional arguments by the names of their fields."""
        positional: tuple[str, ...] = self.__match_args__  # type: ignore[attr-defined]
        names = positional[: len(arguments)]
        if len(names) < len(arguments) or not values.keys().isdisjoint(names):
            raise TypeError(f"{type(self).__name__} takes {positional} by position, each once")
        return dict(zip(names, arguments, strict=True))

    def __repr__(self) -> str:
        shown = (each.name for each in fields(self) if each.repr)  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._values(self) == self._values(other))

    def __hash__(self) -> int:
        return hash(self._values(self))

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


def _factory(declared: Field[Any]) -> Callable[[], Any] | None:
    """What makes the default of a field for each instance; None where the class holds it."""
    if declared.default_factory is not MISSING:
        return declared.default_factory
    # As an attribute of the class, a function would be a method.
    return partial(_same, declared.default) if hasattr(declared.default, "__get__") else None


def _same(value: Any) -> Any:
    return value
