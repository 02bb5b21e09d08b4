"""Adds an operation to the connector's definition, from a Swagger document on standard input.

`outlook-emulator swagger | python -m outlook_contract.add CountFolders` writes the operation and the shapes that it
refers to into `outlook.swagger.json`. Its evidence is empty then: name the sources by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from outlook_contract import definition

_REFERENCE = re.compile(r'"#/definitions/([^"]+)"')


def add(known: Mapping[str, Any], document: Mapping[str, Any], operation_id: str) -> dict[str, Any]:
    """The definition with one operation of a Swagger document, and those shapes that it did not have yet.

    Raises LookupError if the document has no such operation.
    """
    path, method, operation = _operation(document, operation_id)
    paths = {**known["paths"], path: {**known["paths"].get(path, {}), method: {**operation, "x-evidence": []}}}
    shapes = {name: document["definitions"][name] for name in _shapes(document, operation)} | known["definitions"]
    return {**known, "paths": dict(sorted(paths.items())), "definitions": dict(sorted(shapes.items()))}


def text(known: Mapping[str, Any]) -> str:
    """A definition as its file holds it."""
    return json.dumps(known, indent=1, ensure_ascii=False) + "\n"


def _operation(document: Mapping[str, Any], operation_id: str) -> tuple[str, str, Mapping[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] == operation_id:
                return path, method, operation
    raise LookupError(f"the document has no operation {operation_id}")


def _shapes(document: Mapping[str, Any], part: Any) -> Iterator[str]:
    """The names of the shapes that a part of a document refers to, through others too."""
    names = list(dict.fromkeys(_REFERENCE.findall(json.dumps(part))))
    for name in names:
        yield name
        names += [more for more in _REFERENCE.findall(json.dumps(document["definitions"][name])) if more not in names]


def main() -> int:
    """Update the definition in its file."""
    (operation_id,) = sys.argv[1:]
    changed = add(definition.load(), json.load(sys.stdin), operation_id)
    definition.file().write_text(text(changed), encoding="utf-8")
    print(f"added {operation_id} to {definition.file().name}; name its sources in x-evidence")
    return 0


if __name__ == "__main__":
    sys.exit(main())
