"""The pages about faults, limits, clock, triggers, snapshots and coverage."""

from __future__ import annotations

import pytest

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.options import options_of
from outlook_emulator.settings import limits
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultRule, FaultWhen
from tests.conftest import Connection, Sandbox
from tests.server.web.forms import Visitor
from tests.stub import Stub

MAIL = "/MailSubscriptionPoke/$subscriptions"


def ledger(sandbox: Sandbox) -> list[dict[str, object]]:
    rules: list[dict[str, object]] = sandbox.api.get("/faults").json()["value"]
    return rules


# Faults


def test_form_has_every_option(web: Visitor) -> None:
    """The form has a field for each declared option of a rule."""
    html = web.get("faults")
    parts = {"match.": FaultMatch, "when.": FaultWhen, "effect.": FaultEffect, "": FaultRule}
    names = [f"{part}{option.member}" for part, declared in parts.items() for option in options_of(declared)]

    assert ["match", "when", "effect", "sequence"] == [name for name in names if f'name="{name}"' not in html]


def test_arm_and_disarm(alice: Connection, web: Visitor) -> None:
    """A named fault is armed, its count grows, and it is disarmed."""
    web.send("faults", "arm", fields={"effect.fault": "throttled", "name": "busy", "match.connection": alice.id})
    alice.http.get("/v2/Mail")

    assert "busy armed 1 1 Disarm" in web.text("faults")
    web.send("faults", "disarm", name="busy")
    assert "No fault is armed." in web.text("faults")


def test_rule_with_many_options(sandbox: Sandbox, web: Visitor) -> None:
    """Numbers, lists, pairs and JSON arrive as the admin API expects them."""
    web.send(
        "faults",
        "arm",
        fields={
            "match.operation": "SendEmailV2",
            "match.body": "Subject = Invoice*\n\nTo=*@example.com",
            "when.nth": "1, 3",
            "effect.status": "503",
            "effect.body": '{"error": "busy"}',
            "effect.headers": "x-one=1",
            "optional": "yes",
        },
    )
    (rule,) = ledger(sandbox)

    assert {
        "optional": True,
        "match": {"operation": ["SendEmailV2"], "body": {"Subject": "Invoice*", "To": "*@example.com"}},
        "when": {"nth": [1, 3]},
        "effect": {"status": 503, "body": {"error": "busy"}, "headers": {"x-one": "1"}},
    } == rule["rule"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "faults[0]: A rule must have either an 'effect' or a 'sequence'."),
        ({"effect.fault": "nothing"}, "faults[0]: There is no fault 'nothing'."),
        ({"effect.status": "1000"}, "faults[0]: 'status' must be from 200 to 599, not 1000."),
        ({"effect.fault": "throttled", "when.probability": "2"}, "'probability' must be above 0 and at most 1."),
        ({"effect.fault": "throttled", "when.times": "9" * 30}, "faults[0].when.times' is invalid"),
        ({"effect.fault": "throttled", "when.times": "inf"}, "faults[0].when.times' is invalid"),
        ({"effect.fault": "throttled", "name": "two words"}, "faults[0]: 'name' must be"),
    ],
)
def test_refused_rule(sandbox: Sandbox, web: Visitor, fields: dict[str, str], text: str) -> None:
    """A rule is checked as the admin API does, with the same text; nothing is armed."""
    assert text in web.refusal("faults", "arm", **fields)
    assert [] == ledger(sandbox)


def test_refused_rule_keeps_what_was_sent(web: Visitor) -> None:
    """A refused form still holds its values."""
    form = {"effect.status": "1000", "effect.message": "Come back later"}
    response = web.http.post(f"{web.base}faults", data=_hidden(web, "faults", "arm") | form)

    assert 'value="Come back later"' in response.text
    assert '<details id="more-options" open>' in response.text


def _hidden(web: Visitor, path: str, action: str) -> dict[str, str]:
    from tests.server.web.forms import PageReader

    return next(form for form in PageReader(web.get(path)).forms if form.fields.get("action") == action).fields


def test_plan(sandbox: Sandbox, web: Visitor) -> None:
    """A plan in JSON may have sequences; what is not JSON is refused."""
    web.send("faults", "plan", plan='{"faults": [{"name": "twice", "sequence": ["throttled", "work", "throttled"]}]}')

    assert ["twice"] == [rule["name"] for rule in ledger(sandbox)]
    assert "The plan is not JSON" in web.refusal("faults", "plan", plan="{")
    web.send("faults", "clear")
    assert [] == ledger(sandbox)


# Limits


def test_limits(alice: Connection, web: Visitor) -> None:
    """Each limit has a field with its value, a change counts from the next request, and the use is shown."""
    html = web.get("limits")
    assert [] == [limit.limit for limit in limits() if f'name="{limit.limit}"' not in html]

    web.send("limits", "change", calls="1")
    statuses = [alice.http.get("/v2/Mail").status_code for _ in range(2)]

    assert [200, 429] == statuses
    assert f"{alice.id} 1 of 1 0" in web.text("limits")


@pytest.mark.parametrize("value", ["-1", "many", "1.5", "9" * 30, "9" * 5000])
def test_refused_limit(web: Visitor, value: str) -> None:
    """A limit that the admin API refuses is refused with its text."""
    assert "must be a whole number from 0 to" in web.refusal("limits", "change", calls=value)


# Clock


def test_clock(sandbox: Sandbox, web: Visitor) -> None:
    """The clock is advanced, set, frozen and released."""
    web.send("clock", "advance", by="1h30m")
    assert "Now 2026-03-02 10:30:00 UTC" in web.text("clock")
    web.send("clock", "set", to="2026-03-03T00:00:00Z")
    assert "Now 2026-03-03 00:00:00 UTC Runs, shifted" in web.text("clock")
    web.send("clock", "freeze")
    assert "Frozen" in web.text("clock")
    web.send("clock", "follow")
    assert "Frozen" not in web.text("clock")


@pytest.mark.parametrize(
    ("action", "fields", "text"),
    [
        ("advance", {"by": "soon"}, "'advance' must be a duration"),
        ("advance", {"by": "-5"}, "'advance' must not be negative"),
        ("set", {"to": "2020-01-01"}, "a clock cannot go backwards"),
        ("set", {"to": "noon"}, "'set' must be an ISO 8601 date and time"),
    ],
)
def test_refused_move(web: Visitor, action: str, fields: dict[str, str], text: str) -> None:
    """A move that the admin API refuses is refused with its text."""
    assert text in web.refusal("clock", action, **fields)


def test_times_of_faults_are_due(sandbox: Sandbox, web: Visitor) -> None:
    """A fault that acts for a time is listed with its begin and its end."""
    when = {"from": "1h", "until": "2h"}
    sandbox.api.post("/faults", json={"faults": [{"name": "noon", "effect": "throttled", "when": when}]})
    text = web.text("clock")

    assert "2026-03-02 10:00:00 A fault begins to act noon" in text
    assert "2026-03-02 11:00:00 A fault stops acting noon" in text
    sandbox.advance("90m")
    assert "begins" not in web.text("clock")


def test_push_trigger_is_due(alice: Connection, web: Visitor) -> None:
    """A push trigger of upcoming events is listed with the time at which the next event comes near."""
    details = {
        "operationName": "OnUpcomingEventsV2",
        "notificationDetails": {"callbackUrl": "http://127.0.0.1:9/push"},
        "parameters": [
            {"name": "table", "value": "Calendar"},
            {"name": "lookAheadTimeInMinutes", "value": "15"},
        ],
    }
    path = f"/connections/{alice.id}/triggerConfigs/soon"
    alice.api.put(path, json={"properties": details}).raise_for_status()
    alice.meet("Review", "2026-03-02T12:00:00Z")

    expected = "2026-03-02 11:45:00 A push trigger gets an item OnUpcomingEventsV2 for http://127.0.0.1:9/push"
    assert expected in web.text("clock")


def test_what_is_due(alice: Connection, web: Visitor) -> None:
    """The ends of subscriptions and pending callbacks are listed with their time."""
    assert "Nothing is due." in web.text("clock")
    alice.post(MAIL, {"NotificationUrl": "http://127.0.0.1:9/hook?sig=abc"})
    alice.deliver(subject="News")
    alice.sandbox.advance("0s")
    text = web.text("clock")

    assert "sig=abc" not in text
    assert "A callback is sent poke to http://127.0.0.1:9/hook" in text
    assert "2026-03-02 10:00:00 A subscription ends mail for http://127.0.0.1:9/hook" in text


# Triggers


def test_polls(alice: Connection, web: Visitor) -> None:
    """The polls of each trigger are counted, with the last one."""
    alice.http.get("/v2/Mail/OnNewEmail")

    assert f"{alice.id} OnNewEmailV2 1 0 2026-03-02 09:00:00 UTC" in web.text("triggers")


def test_poke(alice: Connection, web: Visitor, listener: Stub) -> None:
    """A subscription is listed, and its subscriber is poked although nothing has changed."""
    alice.post(MAIL, {"NotificationUrl": f"{listener.url}/hook"})
    assert f"{alice.id} mail {listener.url}/hook" in web.text("triggers")
    (subscription,) = alice.api.get(f"/connections/{alice.id}/subscriptions").json()["value"]

    web.send("triggers", "poke", connection=alice.id, id=subscription["id"])
    (callback,) = alice.sandbox.made_callbacks()

    assert ("poke", "done") == (callback["kind"], callback["state"])
    assert "poke" in web.text("triggers").partition("Callbacks Id")[2]


def test_poke_of_nobody(alice: Connection, web: Visitor) -> None:
    """A subscription that does not exist cannot be poked."""
    answer = alice.api.post(f"/connections/{alice.id}/subscriptions/nobody/poke")

    assert 404 == answer.status_code
    assert "No subscription 'nobody' exists in this mailbox." in answer.text


def test_pushed_triggers(alice: Connection, web: Visitor) -> None:
    """A push trigger is listed and deleted."""
    properties = {
        "operationName": "OnNewEmailV2",
        "notificationDetails": {"callbackUrl": "http://127.0.0.1:9/push"},
        "parameters": [{"name": "importance", "value": "High"}],
    }
    path = f"/connections/{alice.id}/triggerConfigs/news"
    alice.api.put(path, json={"properties": properties}).raise_for_status()
    assert f"{alice.id} news OnNewEmailV2 http://127.0.0.1:9/push importance=High" in web.text("triggers")

    web.send("triggers", "delete", connection=alice.id, name="news")
    assert "No push trigger is registered." in web.text("triggers")


# Snapshots


def test_snapshots(alice: Connection, web: Visitor) -> None:
    """A snapshot is saved, restored and deleted."""
    web.send("snapshots", "save", name="before")
    alice.deliver(subject="Later")
    assert "before 2026-03-02 09:00:00 UTC" in web.text("snapshots")

    web.send("snapshots", "restore", name="before")
    assert [] == alice.mails()
    web.send("snapshots", "drop", name="before")
    assert "There is no snapshot." in web.text("snapshots")


def test_refused_snapshot(web: Visitor) -> None:
    """A name that the admin API refuses is refused with its text."""
    assert "A snapshot name has 1 to 64" in web.refusal("snapshots", "save", name="a/b")


def test_export(alice: Connection, web: Visitor) -> None:
    """The sandbox is exported as an SQLite file."""
    response = web.http.get(f"{web.base}export.sqlite")

    assert response.content.startswith(b"SQLite format 3")
    assert f'filename="{alice.sandbox.name}.sqlite"' in response.headers["content-disposition"]


def test_import(alice: Connection, web: Visitor) -> None:
    """An exported file takes the place of what the sandbox holds; another file is refused with the reason."""
    alice.deliver(subject="Kept")
    file = web.http.get(f"{web.base}export.sqlite").content
    alice.deliver(subject="Later")
    sent = web.send("snapshots", "import", files={"file": ("a.sqlite", file, "application/vnd.sqlite3")})

    assert ["Kept"] == [mail["Subject"] for mail in alice.mails()]
    assert web.base == sent.headers["location"]
    refused = web.refusal("snapshots", "import", files={"file": ("a.sqlite", b"SQLite", "application/vnd.sqlite3")})
    assert "The file cannot be imported: it is not an SQLite database." == refused


# Coverage


def test_coverage(alice: Connection, web: Visitor) -> None:
    """All operations are listed, with how often this sandbox was asked for them."""
    alice.http.get("/v2/Mail")
    text, called = web.text("operations"), web.text("operations?show=called")

    assert f"This sandbox has seen 1 of the {len(OPERATIONS)} operations" in text
    assert [] == [row.id for row in OPERATIONS if row.id not in text]
    assert "GetEmailsV2" in called
    assert "SendEmailV2" not in called
    assert "SendEmailV2" in web.text("operations?show=not-called")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.id)
def test_operation(sandbox: Sandbox, web: Visitor, operation: object) -> None:
    """Each operation has a page with its request, its parameters and its document."""
    row = next(row for row in OPERATIONS if row is operation)
    text = web.text(f"operations/{row.id}")

    assert f"{row.method} /apim/outlook{row.full_path}" in text
    assert f'"operationId": "{row.id}"' in text


def test_unknown_operation(web: Visitor) -> None:
    """An operation that does not exist has no page."""
    assert "The connector has no operation" in web.get("operations/Nothing", 404)
