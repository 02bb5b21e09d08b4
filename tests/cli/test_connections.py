"""The actions of the command `connections` that send requests to an emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conftest import Sandbox
from tests.stub import Stub


def test_connections(sandbox: Sandbox, say: Callable[..., Any]) -> None:
    """`connections add` creates a connection with its options, and `connections list` shows it."""
    asked = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    id = f"{sandbox.name}-zoe"
    who = ("--address", "zoe@example.com", "--display-name", "Zoe Z", "--send-as", "team@example.com")
    runtime = f"{sandbox.server.url}/apim/outlook/{id}"

    assert (0, f"{id}  zoe@example.com  {runtime}\n", "") == say("connections", "add", id, *who, *asked)
    lines = say("connections", "list", *asked)[1].splitlines()
    assert [["ID", "ADDRESS", "NAME", "RUNTIME", "URL"], [id, "zoe@example.com", "Zoe", "Z", runtime]] == [
        line.split() for line in lines
    ]
    (listed,) = json.loads(say("connections", "list", "--json", *asked)[1])["value"]
    assert ["team@example.com"] == listed["sendAs"]


def test_add_sends_only_given_options(stub: Stub, say: Callable[..., Any]) -> None:
    """Options that are not passed are not sent; the server chooses the values."""
    stub.body = {"id": "x", "address": "x@outlook.com", "runtimeUrl": "http://h/apim/outlook/x"}
    done = say("connections", "add", "--url", stub.url)

    assert (0, "x  x@outlook.com  http://h/apim/outlook/x\n", "") == done
    assert ("POST /_emulator/api/sandboxes/default/connections", {}) == (stub.last().line, stub.last().json)


def test_add_twice(sandbox: Sandbox, say: Callable[..., Any]) -> None:
    """Adding an existing connection fails with the server's reason."""
    order = ("connections", "add", f"{sandbox.name}-a", "--sandbox", sandbox.name, "--url", sandbox.server.url)
    first, second = say(*order), say(*order)

    assert (0, 1) == (first[0], second[0])
    assert f"outlook-emulator: The connection '{sandbox.name}-a' exists already.\n" == second[2]
