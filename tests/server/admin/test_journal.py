"""The journal over HTTP: list, query with near misses, count, cap, clear, and the retry report."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

MAIL = {"To": "a@example.net", "Subject": "s", "Body": "b"}
POKE = "/MailSubscriptionPoke/$subscriptions"


def list_ids(sandbox: Sandbox, **query: Any) -> list[int]:
    """Return the ids of the list_ids entries."""
    answer = sandbox.api.get("/journal", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["id"] for entry in answer.json()["value"]]


def run_query(sandbox: Sandbox, **query: Any) -> dict[str, Any]:
    answer = sandbox.api.post("/journal/query", json=query)
    assert answer.status_code == 200, answer.text
    findings: dict[str, Any] = answer.json()
    return findings


def matching_ids(sandbox: Sandbox, **query: Any) -> list[int]:
    """Return the ids of the entries that match a query."""
    findings = run_query(sandbox, **query)
    assert findings["count"] == len(findings["value"])
    return [entry["id"] for entry in findings["value"]]


def retries(sandbox: Sandbox) -> dict[str, Any]:
    report: dict[str, Any] = sandbox.api.get("/journal/retries").json()
    return report


def send(connection: Connection, **headers: str) -> int:
    status: int = connection.http.post("/v2/Mail", json=MAIL, headers=headers).status_code
    return status


def arm(sandbox: Sandbox, *rules: dict[str, Any]) -> None:
    assert sandbox.api.post("/faults", json={"faults": [*rules]}).status_code == 201


@pytest.fixture
def story(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> Sandbox:
    """Alice subscribes and is notified of Bob's mail; Bob sends an invalid mail, lists his own, and receives a 503."""
    arm(sandbox, {"name": "busy", "match": {"operation": "GetEmails"}, "effect": {"status": 503}})
    names = {"x-ms-workflow-name": "orders", "x-ms-workflow-run-id": "run-1", "x-ms-client-request-id": "c-1"}
    alice.post(POKE, {"NotificationUrl": f"{listener.url}/hook"})
    bob.post("/v2/Mail", {**MAIL, "To": alice.address, "Attachments": [{"Name": "a.txt", "ContentBytes": "YQ=="}]})
    sandbox.advance()
    bob.http.post("/v2/Mail", json={**MAIL, "To": ""}, headers=names)
    bob.http.get("/v2/Mail", params={"top": 5, "folderPath": "Inbox"})
    bob.http.get("/Mail")
    return sandbox


# Listing


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"kind": "delivery"}, [3]),
        ({"kind": "exchange", "status": 200}, [2, 5]),
        ({"status": 503}, [6]),
        ({"operation": "sendemailV2"}, [2, 4]),
        ({"operation": "GetEmails", "status": 200}, []),
        ({"limit": 2}, [5, 6]),
        ({"after": 2}, [3, 4, 5, 6]),
        ({"after": 2, "limit": 2}, [3, 4]),
        ({"after": 0, "limit": 1}, [1]),
        ({"after": 99}, []),
        ({"family": "SendEmail", "status": 400}, [4]),
        ({"path": "/v2/*", "method": "get"}, [5]),
        ({"effected": "false", "cause": "busy"}, [6]),
        ({"workflowName": "ORD*"}, [4]),
        ({"url": "*/hook"}, [3]),
        ({"limit": 1000, "kind": "", "status": ""}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_list(story: Sandbox, query: Any, ids: list[int]) -> None:
    """Entries are list_ids oldest first: the newest matches, or with `after` the matches that follow."""
    assert ids == list_ids(story, **query)


def test_list_by_connection(story: Sandbox, alice: Connection, bob: Connection) -> None:
    """A connection lists its own exchanges; a delivery belongs to no connection."""
    assert [[1], [2, 4, 5, 6], []] == [
        list_ids(story, connection=connection) for connection in (alice.id, bob.id, f"{story.name}-nobody")
    ]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"operation": "SendMailV2"}, "There is no operation 'SendMailV2'. Did you mean SendEmailV2"),
        ({"kind": "mail"}, "'kind' must be one of exchange, delivery, import, not 'mail'."),
        (
            {"kind": "delivery", "operation": "SendEmail"},
            "'operation' does not apply to entries of the kind 'delivery'.",
        ),
        ({"status": 99}, "'status' must be from 100 to 599, not 99."),
        ({"status": "teapot"}, "The query parameter 'status' must be an integer, not 'teapot'."),
        ({"after": -1}, "'after' must be 0 or more, not -1."),
        ({"after": "x"}, "The query parameter 'after' must be an integer, not 'x'."),
        ({"limit": 0}, "'limit' must be from 1 to 1000, not 0."),
        ({"limit": 1001}, "'limit' must be from 1 to 1000, not 1001."),
    ],
)
def test_invalid_filter(sandbox: Sandbox, query: Any, reason: str) -> None:
    """A filter that can match nothing is rejected with the reason."""
    answer = sandbox.api.get("/journal", params=query)

    assert 400 == answer.status_code
    assert reason in answer.json()["message"]


# Querying


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"operation": "SendEmailV2", "status": 200}, [2]),
        ({"operation": ["GetEmails", "getemailsv2"]}, [5, 6]),
        ({"family": "sendemail"}, [2, 4]),
        ({"method": "get"}, [5, 6]),
        ({"path": "/v2/mail"}, [2, 4, 5]),
        ({"path": "*mail*"}, [1, 2, 4, 5, 6]),
        ({"query": {"TOP": 5, "folderPath": "inb*"}}, [5]),
        ({"query": {"top": 6}}, []),
        ({"body": {"subject": "S"}}, [2, 4]),
        ({"body": {"Attachments.Name": "*.txt"}}, [2]),
        ({"body": {"To": ""}}, [4]),
        ({"status": [503, 400]}, [4, 6]),
        ({"cause": "busy"}, [6]),
        ({"cause": "refusal"}, [4]),
        ({"cause": "*"}, [4, 6]),
        ({"effected": True}, [1, 2]),
        ({"effected": False, "method": "POST"}, [4]),
        ({"outcome": "answered"}, [1, 2, 4, 5, 6]),
        ({"outcome": "reset"}, []),
        ({"workflowName": "ORD*"}, [4]),
        ({"workflowRun": "run-1"}, [4]),
        ({"workflow_run": "run-1", "client_request_id": "c-1"}, [4]),
        ({"workflowOperation": "*"}, []),
        ({"kind": "delivery"}, [3]),
        ({"purpose": "poke", "url": "http://127.0.0.1*/hook"}, [3]),
        ({"url": "*/other"}, []),
        ({"reference": "*"}, [3]),
        ({"after": 4, "status": 200}, [5]),
        ({"connection": None, "operation": None}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_query(story: Sandbox, query: Any, ids: list[int]) -> None:
    """All members of a query must match; strings are patterns that ignore case, and null is ignored."""
    assert ids == matching_ids(story, **query)


def test_query_limit(story: Sandbox) -> None:
    """The count includes all matches; the newest are shown, or with `after` those that follow."""
    newest, next_ones = run_query(story, limit=2), run_query(story, after=1, limit=2)

    assert (6, [5, 6]) == (newest["count"], [entry["id"] for entry in newest["value"]])
    assert (5, [2, 3]) == (next_ones["count"], [entry["id"] for entry in next_ones["value"]])


def test_near_misses(story: Sandbox, alice: Connection, bob: Connection) -> None:
    """Near misses name the members that differ, sorted by fewest differences, then newest first."""
    findings = run_query(story, connection=bob.id, operation="SendEmailV2", status=503)
    misses = [(miss["id"], miss["differs"]) for miss in findings["nearMisses"]]

    assert (0, []) == (findings["count"], findings["value"])
    assert [
        (6, ["operation"]),
        (4, ["status"]),
        (2, ["status"]),
        (5, ["operation", "status"]),
        (1, ["connection", "operation", "status"]),
    ] == misses
    assert "GetEmails" == findings["nearMisses"][0]["operation"]


def test_near_misses_name_members(story: Sandbox) -> None:
    """A near miss names single query parameters and body members; a delivery is compared only by members it has."""
    findings = run_query(
        story, path="/v2/Mail", body={"Subject": "s", "Body": "x"}, query={"top": "5"}, workflowRun="none"
    )
    (delivery,) = run_query(story, url="*/other", status=200)["nearMisses"]

    assert ["query.top", "body.Body", "workflowRun"] == findings["nearMisses"][1]["differs"]
    assert (3, ["url"]) == (delivery["id"], delivery["differs"])


def test_near_misses_beside_matches(story: Sandbox) -> None:
    """Near misses are included even if an entry matches, because the test may expect more matches."""
    findings = run_query(story, operation="SendEmailV2", status=200)

    assert (1, [5, 4, 6, 1]) == (findings["count"], [miss["id"] for miss in findings["nearMisses"]])


def test_at_most_ten_near_misses(sandbox: Sandbox, alice: Connection) -> None:
    """A query returns at most ten near misses, the newest first when they differ equally."""
    for _ in range(12):
        alice.http.get("/testconnection")

    misses = run_query(sandbox, status=404)["nearMisses"]
    assert [*range(12, 2, -1)] == [miss["id"] for miss in misses]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"operation": "SendMailV2"}, "There is no operation 'SendMailV2'. Did you mean SendEmailV2"),
        ({"operation": ["SendEmailV2", "Nothing"]}, "There is no operation 'Nothing'."),
        ({"operation": []}, "'operation' must name at least one operation."),
        ({"family": "SendMail"}, "There is no family of operations 'SendMail'. Did you mean SendEmail"),
        ({"status": []}, "'status' must have at least one number."),
        ({"status": [200, 600]}, "'status' must be from 100 to 599, not 600."),
        ({"status": "many"}, "'status[0]' is invalid"),
        ({"kind": "poke"}, "'kind' must be one of exchange, delivery, import, not 'poke'."),
        ({"kind": "exchange", "url": "x"}, "'url' does not apply to entries of the kind 'exchange'."),
        ({"kind": "delivery", "cause": "x"}, "'cause' does not apply to entries of the kind 'delivery'."),
        ({"operation": "SendEmail", "url": "x"}, "No kind of entry has both 'url' and 'operation'."),
        ({"body": {"Subject": ["s"]}}, "'body.Subject' must be a text, a number or a boolean."),
        ({"query": {"top": None}}, "'query.top' must be a text, a number or a boolean."),
        ({"query": "top=1"}, "'query' is invalid"),
        ({"effected": "perhaps"}, "'effected' is invalid"),
        ({"after": -5}, "'after' must be 0 or more, not -5."),
        ({"limit": 0}, "'limit' must be from 1 to 1000, not 0."),
        ({"subject": "s"}, "has no member 'subject'. It may have: connection, operation, family,"),
    ],
)
def test_invalid_query(sandbox: Sandbox, query: Any, reason: str) -> None:
    """A query that can match nothing, or names an unknown member, is rejected with the reason."""
    answer = sandbox.api.post("/journal/query", json=query)

    assert 400 == answer.status_code
    assert reason in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/query"), ("GET", "/counts"), ("GET", "/retries")],
)
def test_unknown_sandbox(server: Server, method: str, path: str) -> None:
    """The journal of an unknown sandbox responds 404."""
    answer = server.http.request(method, f"/_emulator/api/sandboxes/nowhere/journal{path}", content=b"{}")

    assert (404, True) == (answer.status_code, "No sandbox 'nowhere' exists." in answer.json()["message"])


# Counting, capping and clearing


def test_counts(story: Sandbox) -> None:
    """Exchanges are counted by operation, status and cause; deliveries are counted in total."""
    assert {
        "exchanges": 5,
        "deliveries": 1,
        "imports": 0,
        "byOperation": {"CreateOnNewEmailPokeSubscription": 1, "SendEmailV2": 2, "GetEmailsV2": 1, "GetEmails": 1},
        "byStatus": {"201": 1, "200": 2, "400": 1, "503": 1},
        "byCause": {"refusal InvalidRecipients": 1, "fault busy": 1},
    } == story.api.get("/journal/counts").json()


def test_counts_include_removed_entries(sandbox: Sandbox, alice: Connection) -> None:
    """Counts include entries that the cap removed and responses that were cut."""
    sandbox.api.patch("/journal", json={"cap": 1})
    arm(sandbox, {"effect": {"break": "cut", "status": 500}, "when": {"nth": 1}})
    with pytest.raises(Exception, match="closed connection"):
        alice.http.get("/testconnection")
    for _ in range(2):
        alice.http.get("/testconnection")
    counts = sandbox.api.get("/journal/counts").json()

    assert (3, {"TestConnection": 3}) == (counts["exchanges"], counts["byOperation"])
    assert ({"cut": 1, "200": 2}, [3]) == (counts["byStatus"], list_ids(sandbox))


@pytest.mark.parametrize(
    ("caps", "facts"),
    [
        ({"cap": 5}, {"cap": 5, "bodyBytes": 65536}),
        ({"bodyBytes": 0}, {"cap": 2000, "bodyBytes": 0}),
        ({"cap": 0, "body_bytes": 9}, {"cap": 0, "bodyBytes": 9}),
        ({"cap": None}, {"cap": 2000, "bodyBytes": 65536}),
    ],
)
def test_cap(sandbox: Sandbox, caps: Any, facts: Any) -> None:
    """A PATCH changes the given members; null and missing members keep their value."""
    answer = sandbox.api.patch("/journal", json=caps)

    assert (200, facts) == (answer.status_code, answer.json())


def test_a_lower_cap_keeps_the_newest(story: Sandbox) -> None:
    """Lowering the cap removes the oldest entries."""
    story.api.patch("/journal", json={"cap": 2})

    assert [5, 6] == list_ids(story)


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        ({"cap": -1}, "'cap' is invalid: must be a whole number from 0 to 100000, not -1."),
        ({"cap": 100_001}, "'cap' is invalid: must be a whole number from 0 to 100000, not 100001."),
        ({"cap": "5"}, "'cap' is invalid: must be a whole number from 0 to 100000, not \"5\"."),
        ({"cap": 5, "bodyBytes": 1.5}, "'bodyBytes' is invalid: must be a whole number from 0 to 104857600, not 1.5."),
        ({"cap": 5, "bodies": 1}, "has no member 'bodies'. It may have: cap, bodyBytes."),
    ],
)
def test_invalid_cap(sandbox: Sandbox, caps: Any, reason: str) -> None:
    """An invalid number is rejected and nothing changes."""
    answer = sandbox.api.patch("/journal", json=caps)

    assert 400 == answer.status_code
    assert reason in answer.json()["message"]
    assert {"cap": 2000, "bodyBytes": 65536} == sandbox.api.patch("/journal", json={}).json()


def test_clear(story: Sandbox, alice: Connection) -> None:
    """Clearing the journal also clears the counts, but ids continue and are not used again."""
    answer = story.api.delete("/journal")
    empty = story.api.get("/journal").json()
    counts = story.api.get("/journal/counts").json()
    alice.http.get("/testconnection")

    assert (204, b"") == (answer.status_code, answer.content)
    assert {"value": [], "total": 0, "dropped": 0} == empty
    assert {"exchanges": 0, "deliveries": 0, "imports": 0, "byOperation": {}, "byStatus": {}, "byCause": {}} == counts
    assert [7] == list_ids(story)


# Retries


def test_a_duplicated_send(sandbox: Sandbox, alice: Connection) -> None:
    """A send that took effect despite a 504 and was sent again is reported as duplicated, with both entries."""
    arm(sandbox, {"effect": "timeout-504-after", "when": {"nth": 1}})
    send(alice)
    sandbox.advance("2.5s")
    send(alice)
    report = retries(sandbox)
    (row,) = report["value"]
    failed = run_query(sandbox, status=504)["value"][0]

    assert 1 == report["duplicatedSends"]
    assert row.pop("realWaitedSeconds") >= 0
    assert {
        "operation": "SendEmailV2",
        "connection": alice.id,
        "status": 504,
        "outcome": "answered",
        "at": failed["at"],
        "cameBack": True,
        "waitedSeconds": 2.5,
        "askedSeconds": None,
        "waitedAsAsked": None,
        "refusedAgain": False,
        "timesEffected": 2,
        "duplicated": True,
        "entries": [1, 2],
    } == row


@pytest.mark.parametrize(("waited", "as_asked"), [("59s", False), ("60s", True)])
def test_client_waits_as_requested(sandbox: Sandbox, alice: Connection, waited: str, as_asked: bool) -> None:
    """The report of a throttled request has the requested wait, and whether the client waited or was refused again."""
    arm(sandbox, {"effect": "throttled", "when": {"nth": 1}})
    send(alice)
    sandbox.advance(waited)
    send(alice)
    report = retries(sandbox)
    row, *more = report["value"]

    assert (as_asked, [] if as_asked else [(429, 1, None)]) == (
        not row["refusedAgain"],
        [(other["status"], other["askedSeconds"], other["waitedAsAsked"]) for other in more],
    )
    assert (429, 60, as_asked) == (row["status"], row["askedSeconds"], row["waitedAsAsked"])
    assert (int(as_asked), False, 0) == (row["timesEffected"], row["duplicated"], report["duplicatedSends"])


def test_retries_of_throttled_and_reset_requests(sandbox: Sandbox, alice: Connection) -> None:
    """A retry of a request that was throttled or reset is recognized by the content of the request."""
    sandbox.api.patch("/limits", json={"calls": 1})
    arm(sandbox, {"effect": {"break": "reset"}, "when": {"nth": 1}})
    with pytest.raises(httpx.TransportError):
        send(alice)
    other = alice.http.post("/v2/Mail", json={**MAIL, "Subject": "other"}).status_code
    sandbox.advance("60s")
    again = send(alice)
    rows = retries(sandbox)["value"]

    assert (429, 200) == (other, again)
    assert [("reset", [1, 3]), ("answered", [2])] == [(row["outcome"], row["entries"]) for row in rows]
    assert "other" == run_query(sandbox, status=429)["value"][0]["request"]["body"]["Subject"]


def test_request_without_a_retry(sandbox: Sandbox, alice: Connection) -> None:
    """A request by another client is not a retry, so the failed request is reported without one."""
    arm(sandbox, {"effect": "bad-gateway", "when": {"nth": 1}})
    send(alice, **{"User-Agent": "one"})
    send(alice, **{"User-Agent": "another"})
    (row,) = retries(sandbox)["value"]

    assert (502, False, None, [1]) == (row["status"], row["cameBack"], row["waitedSeconds"], row["entries"])


def test_nothing_failed(sandbox: Sandbox, alice: Connection) -> None:
    """Successful requests and permanent errors are not in the report."""
    send(alice)
    alice.http.delete("/Mail/none")

    assert {"value": [], "duplicatedSends": 0} == retries(sandbox)
