"""The client library of Power Apps code apps calls the emulator, over the bridge that the documents show."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.connector.swagger import swagger
from tests.conftest import Connection
from tests.docs.pages import DOCS, Page
from tests.node import node_project
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

PROGRAM = """
import { readFileSync } from "node:fs";
import { getClient } from "@microsoft/power-apps/data";
import { useEmulator } from "./BRIDGE";

const { url, connection, calls, swagger } = JSON.parse(readFileSync(0, "utf-8"));
useEmulator(url, { outlook: connection });

// What the tool of Power Apps generates from a connector's definition.
const apis = {};
for (const [path, methods] of Object.entries(swagger.paths)) {
  for (const [method, { operationId, parameters = [], responses }] of Object.entries(methods)) {
    const responseInfo = Object.fromEntries(
      Object.entries(responses).map(([status, { schema }]) => [status, { type: schema?.type ?? "void" }]));
    apis[operationId] = { path, method: method.toUpperCase(), parameters, responseInfo };
  }
}
const info = { outlook: { tableId: "", version: "", primaryKey: "", dataSourceType: "Connector", apis } };

const client = getClient(info);
const results = [];
for (const [operationName, parameters] of calls) {
  const operation = { tableName: "outlook", operationName, parameters };
  results.push(await client.executeAsync({ connectorOperation: operation }));
}
console.log(JSON.stringify(results));
"""


def call(connection: Connection, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Call operations with the client library; return its results."""
    folder = node_project("@microsoft/power-apps@^1.3")
    (bridge,) = Page.read(DOCS / "power-apps.md").files.items()
    names = [f"{connection.id}{suffix}" for suffix in ("-bridge.mjs", "-program.mjs")]
    (folder / names[0]).write_text(bridge[1])
    (folder / names[1]).write_text(PROGRAM.replace("BRIDGE", names[0]))
    order = {"connection": connection.id, "calls": calls, "swagger": swagger(OPERATIONS)}
    order["url"] = connection.sandbox.server.url
    try:
        done = subprocess.run(
            ["node", names[1]], cwd=folder, input=json.dumps(order), capture_output=True, text=True, timeout=HUNG_AFTER
        )
    finally:
        for name in names:
            (folder / name).unlink()
    assert 0 == done.returncode, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def test_mails(alice: Connection, bob: Connection) -> None:
    """A mail is sent and arrives; lists, parameters in path and query, and deletion work."""
    id = bob.deliver(subject="Old", is_read=True)["Id"]
    sent, *_ = call(
        alice, ("SendEmailV2", {"emailMessage": {"To": bob.address, "Subject": "Hello", "Body": "<p>Hello</p>"}})
    )
    listed, read, deleted, left = call(
        bob,
        ("GetEmailsV2", {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 10}),
        ("GetEmail", {"messageId": id}),
        ("DeleteEmail", {"messageId": id}),
        ("GetEmailsV2", {"folderPath": "Inbox", "fetchOnlyUnread": False}),
    )

    assert [True] * 5 == [result["success"] for result in (sent, listed, read, deleted, left)]
    assert {"Hello", "Old"} == {mail["Subject"] for mail in listed["data"]["value"]}
    assert "Old" == read["data"]["Subject"]
    assert ["Hello"] == [mail["Subject"] for mail in left["data"]["value"]]


def test_errors(alice: Connection) -> None:
    """An error of the connector reaches the app with its status and text."""
    (result,) = call(alice, ("GetEmail", {"messageId": "no-id"}))

    assert (False, 400) == (result["success"], result["error"]["status"])
    assert "ErrorInvalidIdMalformed" in result["error"]["message"]


def test_journal_knows_the_operations(alice: Connection) -> None:
    """The journal has the calls by operation, as calls of any other client."""
    call(alice, ("CalendarGetTables", {}), ("GetEmailsV2", {}))

    alice.sandbox.journal.assert_called(operation="CalendarGetTables", times=1)
    alice.sandbox.journal.assert_called(operation="GetEmailsV2", times=1)
