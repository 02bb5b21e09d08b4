"""A request belongs to one operation of the definition, and an operation with its values is one path."""

from __future__ import annotations

import pytest

from outlook_contract.routes import fill, find, routes

AWKWARD = "AAMk/+= %2F"


def test_every_operation_is_found_by_its_own_path() -> None:
    """Each path with values in it leads back to its operation and the values, even if they hold a slash."""
    lost = []
    for route in routes().values():
        values = {name: AWKWARD for name, parameter in route.parameters.items() if parameter["in"] == "path"}
        match = find(route.method, fill(route, values), at_root=route.is_at_root)
        if match is None or match[0].id != route.id or set(match[1]) != set(values):
            lost.append(route.id)

    assert [] == lost
    assert 77 == len(routes())


@pytest.mark.parametrize(
    ("operation", "values", "path"),
    [
        ("GetEmail", {"messageId": "a/b+c="}, "/Mail/a%2Fb%2Bc%3D"),
        ("CalendarDeleteItem", {"table": "Calendar", "id": "a/b"}, "/datasets/calendars/tables/Calendar/items/a%252Fb"),
    ],
)
def test_ids_are_escaped_as_declared(operation: str, values: dict[str, str], path: str) -> None:
    """Ids of events are escaped twice, ids of mails once."""
    assert path == fill(routes()[operation], values)


def test_fixed_words_come_before_ids() -> None:
    """A path with a fixed word is not taken for an id of that name."""
    fixed = [route for route in routes().values() if "{" not in route.path]

    assert [route.id for route in fixed] == [
        match[0].id
        for route in fixed
        if (match := find(route.method, route.path, at_root=route.is_at_root)) is not None
    ]


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v2/Mail"), ("GET", "/v9/Mail"), ("GET", "/Mail/a/b/c/d")])
def test_unknown_request(method: str, path: str) -> None:
    """A request that fits no operation belongs to none."""
    assert find(method, path) is None


def test_links_have_no_connection() -> None:
    """Only what mails and the back end link to lies outside the connections."""
    assert all("connectionId" not in route.parameters for route in routes().values())
    assert [route.id for route in routes().values() if route.is_at_root] == [
        route.id for route in routes().values() if not route.declaration["x-path"].startswith("/{connectionId}")
    ]
