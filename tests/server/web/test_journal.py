"""The pages about the journal."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from base64 import b64decode, b64encode
from itertools import pairwise

import pytest

from outlook_emulator.app import create_app
from outlook_emulator.sandbox.sandbox import Sandbox as LocalSandbox
from outlook_emulator.server.web import journal as journal_page
from outlook_emulator.server.web import journal_chains, journal_copies
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.journal import ANSWERED
from tests.conftest import Connection, Sandbox
from tests.server.web.forms import PageReader, Visitor, text_of

WORKFLOW = {"x-ms-workflow-name": "pay-invoices", "x-ms-workflow-run-id": "run-1"}


@pytest.fixture
def busy(alice: Connection) -> Connection:
    """A mailbox whose journal has a lost response, its retry, a refused request and one of a workflow."""
    rule = {"name": "lost", "match": {"operation": "SendEmailV2"}, "effect": "timeout-504-after", "when": {"nth": 1}}
    alice.sandbox.api.post("/faults", json={"faults": [rule]}).raise_for_status()
    mail = {"To": "eve@example.net", "Subject": "Once?", "Body": "<b>Once?</b>"}
    alice.http.post("/v2/Mail", json=mail)
    alice.sandbox.advance("5s")
    alice.http.post("/v2/Mail", json=mail)
    alice.http.get("/v2/Mail", params={"top": "many"})
    alice.http.get("/v2/Mail", headers=WORKFLOW)
    return alice


def shown(web: Visitor, query: str = "") -> list[int]:
    """The ids of the entries in the list, as they are shown."""
    table = web.get(f"journal{query}").partition('aria-label="Journal"')[2].partition("</table>")[0]
    return [int(id) for id in re.findall(r'<tr id="entry-(\d+)">', table)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [4, 3, 2, 1]),
        ("?operation=SendEmailV2", [2, 1]),
        ("?status=504", [1]),
        ("?workflowName=pay-*", [4]),
        ("?workflowRun=run-1", [4]),
        ("?cause=lost", [1]),
        ("?kind=delivery", []),
        ("?before=3", [2, 1]),
        ("?before=2&operation=SendEmailV2", [1]),
        ("?connection=&status=", [4, 3, 2, 1]),
    ],
)
def test_filters(busy: Connection, web: Visitor, query: str, ids: list[int]) -> None:
    """The address holds the filters; empty fields filter nothing."""
    assert ids == shown(web, query)


def test_filter_by_connection(busy: Connection, bob: Connection, web: Visitor) -> None:
    """The list can be that of one connection."""
    bob.http.get("/v2/Mail")

    assert [5] == shown(web, f"?connection={bob.id}")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?operation=Nothing", "There is no operation 'Nothing'."),
        ("?status=soon", "status"),
        ("?status=99", "'status' must be from 100 to 599, not 99."),
    ],
)
def test_refused_filter(busy: Connection, web: Visitor, query: str, text: str) -> None:
    """A filter that the admin API refuses is refused with the same text, at the form."""
    assert text in web.text(f"journal{query}")
    assert 'role="alert"' in web.get(f"journal{query}")


def test_near_misses(busy: Connection, web: Visitor) -> None:
    """Where nothing matches, the nearest entries are listed with what differs."""
    text = web.text("journal?operation=SendEmailV2&status=400")

    assert "Nothing matches." in text
    assert "SendEmailV2 504 status" in text


def test_list_says_why(busy: Connection, web: Visitor) -> None:
    """A line has the status, the cause, the workflow, and whether something was made twice."""
    text = web.text("journal")

    assert "4 of 4 entries" in text
    assert "1 504 duplicate SendEmailV2 fault lost" in text
    assert "2 200 duplicate SendEmailV2" in text
    assert "3 400 GetEmailsV2 refusal InvalidRequest" in text
    assert "pay-invoices run-1" in text


def test_pages_of_the_list(alice: Connection, web: Visitor) -> None:
    """Older entries are on further pages."""
    for _ in range(53):
        alice.http.get("/v2/Mail")
    links = PageReader(web.get("journal")).links
    (older,) = [link for link in links if "before=" in link]

    assert list(range(53, 3, -1)) == shown(web)
    assert [3, 2, 1] == [int(id) for id in re.findall(r'<tr id="entry-(\d+)">', web.get(older))]


def test_entry(busy: Connection, web: Visitor) -> None:
    """An entry shows request, answer, timing, why, and the time line of its retries."""
    text = web.text("journal/1")

    assert "SendEmailV2 · Entry 1" in text
    assert "504 POST /v2/Mail" in text
    assert "Did its work yes" in text
    assert "fault lost timeout-504-after" in text
    assert '"Subject": "Once?"' in text
    assert '"message": "Request failed. Try again later"' in text
    assert "authorization (redacted)" in text
    assert "+5.0 s" in text
    assert "duplicate The same thing was made more than once." in text


def test_entry_names_faults_that_did_not_match(busy: Connection, web: Visitor) -> None:
    """An entry says in what it differs from faults that are armed."""
    assert "These armed faults did not match it: lost differs in operation" in web.text("journal/4")


def test_entry_of_a_callback(alice: Connection, web: Visitor, listener: object) -> None:
    """A callback has a page as well, and no HAR file."""
    journal_id = alice.sandbox.server.http.get(f"/_emulator/api/sandboxes/{alice.sandbox.name}/journal").json()["total"]
    url = "http://127.0.0.1:9/hook"
    body = {"NotificationUrl": url}
    alice.post("/MailSubscriptionPoke/$subscriptions", body)
    alice.deliver(subject="News")
    alice.sandbox.advance("1s")
    entries = alice.sandbox.api.get("/journal", params={"kind": "delivery"}).json()["value"]
    text = web.text(f"journal/{entries[0]['id']}")

    assert f"POST {url}" in text
    assert "Purpose poke" in text
    assert journal_id == 0
    web.get(f"journal/{entries[0]['id']}.har", 404)


def test_a_secret_in_the_name_of_a_workflow(alice: Connection, web: Visitor) -> None:
    """The list hides what an entry hides."""
    headers = {"x-ms-workflow-name": "https://hook/?sig=s3cret", "x-ms-workflow-run-id": "token=s3cret"}
    alice.http.get("/v2/Mail", headers=headers)
    page = web.get("journal")

    assert "sig=(redacted)" in page
    assert "token=(redacted)" in page
    assert "s3cret" not in page


@pytest.mark.parametrize("id", ["0", "99", "x", "-1", "1e3", "9" * 30])
def test_missing_entry(busy: Connection, web: Visitor, id: str) -> None:
    """An entry that is not kept is a page that says so."""
    assert "The journal has no entry" in web.get(f"journal/{id}", 404)


def test_cleared_and_capped(busy: Connection, web: Visitor) -> None:
    """The journal can be capped and cleared; a cap that the API refuses is refused at the form."""
    web.send("journal", "cap", cap="2")
    assert [4, 3] == shown(web)
    assert "2 of 4 entries; 2 older ones were dropped" in web.text("journal")
    web.get("journal/2", 404)
    assert "cap" in web.refusal("journal", "cap", cap="many")

    web.send("journal", "clear")
    assert "The journal is empty." in web.text("journal")


def test_a_search_is_bounded(alice: Connection, web: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filtered page searches a bounded number of entries, and leads to the older ones."""
    monkeypatch.setattr(journal_page, "_SEARCHED", 3)
    alice.http.get("/v2/Mail", params={"top": "many"})
    for _ in range(4):
        alice.http.get("/v2/Mail")
    html = web.get("journal?status=400")
    (older,) = [link for link in PageReader(html).links if "before=3" in link]

    assert "Nothing in 3 entries" in html
    assert "1 400 GetEmailsV2" in web.text(older)


# Copies


def test_curl_sends_it_again(busy: Connection, web: Visitor) -> None:
    """The curl command is one that a shell runs, with the body and without the credential."""
    import shlex

    html = web.get("journal/1")
    command = text_of(html.partition('<pre id="copy-curl"')[2].partition(">")[2].partition("</pre>")[0])
    words = shlex.split(command.replace("\\ ", ""))

    assert words[:4] == ["curl", "-i", "-X", "POST"]
    assert words[4] == f"{busy.http.base_url}v2/Mail"
    assert '{"To": "eve@example.net", "Subject": "Once?", "Body": "<b>Once?</b>"}' == words[-1]
    assert "authorization: Bearer anything" in words


def test_test_passes(busy: Connection, web: Visitor) -> None:
    """The test runs against a mailbox, sends the same request, and expects the same status."""
    from html import unescape

    html = web.get("journal/2")
    code = unescape(html.partition('<pre id="copy-test"')[2].partition(">")[2].partition("</pre>")[0])
    names: dict[str, object] = {}
    exec(code, names)
    before = len(busy.sandbox.api.get("/outbox").json()["value"])
    names["test_send_email_v2"](busy)  # type: ignore[operator]

    assert before + 1 == len(busy.sandbox.api.get("/outbox").json()["value"])


def test_har(busy: Connection, web: Visitor) -> None:
    """The HAR file of the journal has each request, without secrets; that of an entry has one."""
    response = web.http.get(f"{web.base}journal.har")
    (first, *others) = response.json()["log"]["entries"]

    assert "attachment" in response.headers["content-disposition"]
    assert 3 == len(others)
    assert ("POST", 504) == (first["request"]["method"], first["response"]["status"])
    assert "Once?" in first["request"]["postData"]["text"]
    assert "fault lost: timeout-504-after" == first["comment"]
    assert {"name": "authorization", "value": "(redacted)"} in first["request"]["headers"]
    assert 1 == len(web.http.get(f"{web.base}journal/1.har").json()["log"]["entries"])


@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("base64") is None, reason="bash or base64 is missing")
def test_copies_of_a_binary_body(alice: Connection, web: Visitor) -> None:
    """The copies of a request whose body is no text have its bytes, and say where they are cut."""
    content = b"\xff\x00'" * 30_000
    alice.http.post("/v2/Mail", content=content, headers={"Content-Type": "application/octet-stream"})
    entry = alice.sandbox.api.get("/journal").json()["value"][-1]
    kept = b64decode(entry["request"]["body"]["$content"])
    command = journal_copies.curl(entry, "http://x")
    test = journal_copies.pytest_test(entry)
    (har,) = journal_copies.har([entry], "http://x")["log"]["entries"]

    assert content.startswith(kept)
    sent = subprocess.run(["bash", "-c", f"curl() {{ cat; }}\n{command}"], capture_output=True, check=True).stdout
    assert kept == sent
    assert f"content=b64decode({b64encode(kept).decode()!r})" in test
    assert "base64" == har["request"]["postData"]["encoding"]
    assert kept == b64decode(har["request"]["postData"]["text"])
    assert command.startswith("# The body is cut: the request had 90000 bytes.") == (kept != content)


def test_har_of_a_lost_response() -> None:
    """A response that did not arrive has status 0 in HAR."""
    message: dict[str, object] = {"headers": {}, "body": None, "size": 0, "truncated": False}
    entry = {
        "method": "GET",
        "path": "/v2/Mail",
        "query": "top=1",
        "connection": "c",
        "at": "2026-03-02T09:00:00.0000000+00:00",
        "tookMilliseconds": 1.5,
        "status": 200,
        "outcome": "reset",
        "causes": [],
        "request": message,
        "response": message,
    }
    (har,) = journal_copies.har([entry], "http://x")["log"]["entries"]

    assert 0 == har["response"]["status"]
    assert "http://x/apim/outlook/c/v2/Mail?top=1" == har["request"]["url"]
    assert [{"name": "top", "value": "1"}] == har["request"]["queryString"]


# Retries


def test_retries(busy: Connection, web: Visitor) -> None:
    """The page of retries has each chain on a time line, with its waits and what it did twice."""
    text = web.text("retries")

    assert "1 failed requests with what their clients did next; 1 of them made something twice." in text
    assert "504 200 +5.0 s" in text


def test_no_retries(sandbox: Sandbox, web: Visitor) -> None:
    """Without failures, the page says so."""
    assert "No request has failed." in web.text("retries")


def test_waited_as_asked(alice: Connection, web: Visitor) -> None:
    """A chain says how long the answer asked to wait, and whether the client did."""
    effect = {"fault": "throttled", "retryAfter": 30}
    plan = {"faults": [{"match": {"operation": "GetEmailsV2"}, "effect": effect, "when": {"times": 1}}]}
    alice.sandbox.api.post("/faults", json=plan).raise_for_status()
    alice.http.get("/v2/Mail")
    assert "The client did not come back." in web.text("retries")
    alice.sandbox.advance("30s")
    alice.http.get("/v2/Mail")

    assert "The answer asked to wait 30 s, and the client did." in web.text("retries")


def test_places_on_the_time_line() -> None:
    """Attempts are drawn in proportion to time, and labels do not overlap."""
    places = journal_chains._places([0, 10, 20, 100])

    assert places == sorted(places)
    assert all(later - earlier >= 40 for earlier, later in pairwise(places))
    assert [20] == journal_chains._places([5])


# Size


def filled(entries: int) -> LocalSandbox:
    """A sandbox whose journal is at its cap."""
    sandbox: LocalSandbox = create_app(Settings(journal_entries=entries)).state.sandboxes.default
    journal = sandbox.traffic.journal
    for number in range(entries + 10):
        entry = journal.open(number, number)
        entry.method, entry.raw_path, entry.status = "GET", b"/apim/outlook/x/v2/Mail", 429
        entry.raw_request_headers = [(b"user-agent", b"x")]
        journal.close(entry, 1, ANSWERED)
    return sandbox


def test_a_long_journal_is_not_read_whole() -> None:
    """The list reads only what it shows, however many entries there are."""
    journal = filled(100_000).traffic.journal
    start = time.perf_counter()
    newest = journal.newest(51)
    middle = journal.entry(50_000)
    took = time.perf_counter() - start

    assert list(range(100_010, 99_959, -1)) == [entry.id for entry in newest]
    assert middle is not None
    assert 50_000 == middle.id
    assert journal.entry(10) is None
    assert [49_999, 50_000, 50_001] == [entry.id for entry in journal.around(50_000, 1)]
    assert [11, 12] == [entry.id for entry in journal.around(11, 1)]
    # Reading all of them takes about a hundred times as long.
    assert took < 0.1
