"""Approval requests over HTTP: sending, answering by link, withdrawing, and the admin API."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import pytest
from azure.connectors.outlook import (
    ApprovalEmailSubscription,
    ApprovalMessage,
    MessageWithOptions,
    OptionsEmailSubscription,
)
from azure.connectors.sdk.exceptions import ConnectorException

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.mailbox.approvals import answer_links
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.settings import Settings
from tests.conftest import START, Connection, Sandbox, Server

CALLBACK = "http://127.0.0.1:9/resume?sig=abc"
APPROVAL, OPTIONS = "/approvalmail/$subscriptions", "/mailwithoptions/$subscriptions"
BOTH = pytest.mark.parametrize("path", [APPROVAL, OPTIONS])
HOSTILE = '<b onclick="x">Yes</b>&\''


class Page(HTMLParser):
    """The links, forms and visible text of a page or a mail, and the card in its head."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.forms: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.card: Any = None
        self._open: dict[str, dict[str, str | None]] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open[tag] = dict(attrs)
        if tag == "form":
            self.forms.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop(tag, None)

    def handle_data(self, data: str) -> None:
        if "a" in self._open:
            self.links[data] = self._open["a"]["href"] or ""
        if "script" in self._open:
            self.card = json.loads(data)
        else:
            self.text += data


def ask(connection: Connection, path: str = APPROVAL, to: str = "bob@example.com", **message: Any) -> dict[str, Any]:
    """Send an approval mail and return the subscription from the response."""
    answer = connection.post(path, {"NotificationUrl": CALLBACK, "Message": {"To": to, **message}})
    assert answer.status_code == 201
    question: dict[str, Any] = answer.json()
    return question


def opened(connection: Connection) -> Page:
    """The only mail in the connection's Inbox, parsed."""
    return Page(connection.mail()["Body"])


def click(link: str, method: str = "GET") -> httpx.Response:
    """Open a link as a browser does, without credentials."""
    return httpx.request(method, link)


def questions(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sandbox.api.get("/questions").json()["value"]
    return rows


def answer(sandbox: Sandbox) -> str | None:
    """The answer to the only question."""
    (question,) = questions(sandbox)
    option: str | None = question["answer"]
    return option


def answer_as_admin(sandbox: Sandbox, option: str) -> httpx.Response:
    (question,) = questions(sandbox)
    return sandbox.api.post(f"/questions/{question['id']}/answer", json={"option": option})


@pytest.fixture
def engine() -> Iterator[tuple[str, Queue[tuple[str, str | None, bytes]]]]:
    """A workflow engine: its URL, and a queue with the path, content type and body of each callback."""
    calls: Queue[tuple[str, str | None, bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            calls.put((self.path, self.headers["Content-Type"], body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", calls
        running.shutdown()
        thread.join()


# --- Callbacks, in one process ---


class Office:
    """A server in this process where a clerk sends approval mails to a boss; `anyone` sends no credentials."""

    def __init__(self, **settings: Any) -> None:
        self.app = create_app(Settings(**settings), VirtualClock(START))

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": "Bearer token"} | more.pop("headers", {})
        return self.anyone(method, f"/apim/outlook{url}", headers=headers, **more)

    def anyone(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://emulator", trust_env=False) as client:
                return await client.request(method, url, **more)

        return asyncio.run(exchange())

    def ask(self, headers: dict[str, str] | None = None, **message: Any) -> httpx.Response:
        body = {"NotificationUrl": CALLBACK, "Message": {"To": "boss@outlook.com", **message}}
        return self.call("POST", f"/clerk{APPROVAL}", json=body, headers=headers or {})

    def links(self) -> dict[str, str]:
        """The links in the boss's newest mail."""
        mails = self.call("GET", "/boss/v2/Mail", params={"fetchOnlyUnread": False}).json()["value"]
        return Page(mails[0]["Body"]).links

    def link_urls(self) -> set[str]:
        """The URLs of the links, without their query strings."""
        return {link.partition("?")[0] for link in self.links().values()}

    def journal(self) -> list[tuple[str, str, str, bytes, str]]:
        """All callbacks, queued or delivered: kind, reference, URL, body and content type."""
        callback_rows = callbacks.journal(self.app.state.sandboxes.default.db)
        return [
            (row.kind, row.reference, row.url, row.body, json.loads(row.headers)["Content-Type"])
            for row in callback_rows
        ]

    def close(self) -> None:
        self.app.state.sandboxes.close()


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    yield office
    office.close()


def test_first_click_answers(office: Office) -> None:
    """The first click queues one callback with the option; later clicks show the recorded answer."""
    subscription = office.ask().json()
    links = office.links()
    assert office.journal() == []
    clicks = [office.anyone("GET", links[option]) for option in ("Approve", "Approve", "Reject")]

    assert [(200, "text/html; charset=utf-8")] * 3 == [
        (response.status_code, response.headers["content-type"]) for response in clicks
    ]
    first, again, other = (Page(response.text).text for response in clicks)
    assert "Your answer was recorded: Approve." in first
    assert "This was answered already: Approve." in again
    assert "This was answered already: Approve." in other
    body = b'{"SelectedOption":"Approve"}'
    assert [("answer", subscription["id"], CALLBACK, body, "application/json")] == office.journal()


@pytest.mark.parametrize(("settings", "is_same"), [({}, False), ({"random_seed": 4365}, True)])
def test_two_runs_make_the_same_links(settings: dict[str, Any], is_same: bool) -> None:
    """Two runs create the same ids, but the same keys and links only if the user fixed the seed."""
    runs = []
    for office in (Office(**settings), Office(**settings)):
        runs.append((office.ask().json()["id"], office.links()))
        office.close()

    assert runs[0][0] == runs[1][0]
    assert is_same == (runs[0][1] == runs[1][1])


def test_links_survive_a_restart(tmp_path: Path) -> None:
    """A link sent before a restart works after it, and an answer survives a restart."""
    office = Office(data=str(tmp_path))
    office.ask()
    link = office.links()["Reject"]
    for expected in ("recorded: Reject", "answered already: Reject"):
        office.close()
        office = Office(data=str(tmp_path))
        assert expected in Page(office.anyone("GET", link).text).text
    office.close()


@pytest.mark.parametrize("setting", ["https://mail.test", "https://mail.test/"])
def test_public_url(setting: str) -> None:
    """The setting `public_url` determines the base URL of links, whatever host the request was sent to."""
    office = Office(public_url=setting)
    office.ask()

    assert office.link_urls() == {"https://mail.test/apim/outlook/RecordResponse"}
    office.close()


@pytest.mark.parametrize(
    ("proto", "scheme"), [("https", "https"), ("HTTPS, http", "https"), ("http", "http"), ("x", "http")]
)
def test_links_behind_a_proxy(office: Office, proto: str, scheme: str) -> None:
    """Links use the host of the request, and the scheme that a proxy forwards."""
    office.ask({"Host": "mail.test:8443", "X-Forwarded-Proto": proto})

    assert {f"{scheme}://mail.test:8443/apim/outlook/RecordResponse"} == office.link_urls()


def test_option_limit_is_a_setting() -> None:
    """The maximum number of options is a setting."""
    office = Office(max_options=1)

    assert [201, 400] == [office.ask(Options=options).status_code for options in ("Yes", "Yes, No")]
    office.close()


# --- Sending approval mails ---


@BOTH
def test_response_is_a_subscription(alice: Connection, bob: Connection, path: str) -> None:
    """The response is 201 with the stored subscription, and its URL in `Location`."""
    answer = alice.http.post(path, json={"NotificationUrl": CALLBACK, "Message": {"To": bob.address}})
    subscription = answer.json()

    assert answer.status_code == 201
    assert ["id", "resource", "notificationType", "notificationUrl"] == list(subscription)
    assert ("webhook", CALLBACK) == (subscription["notificationType"], subscription["notificationUrl"])
    assert alice.url + path == subscription["resource"]
    assert f"{alice.url}{path}/{subscription['id']}" == answer.headers["location"]


@pytest.mark.parametrize(
    ("path", "subject", "options"),
    [
        (APPROVAL, "Approval Request", ["Approve", "Reject"]),
        (OPTIONS, "Your input is required", ["Choice1", "Choice2", "Choice3"]),
    ],
)
def test_defaults(alice: Connection, bob: Connection, path: str, subject: str, options: list[str]) -> None:
    """Only the recipient is required; importance, subject and options have the documented defaults."""
    ask(alice, path)
    mail, page = bob.mail(), opened(bob)

    assert (subject, 1, True, alice.address) == (mail["Subject"], mail["Importance"], mail["IsHtml"], mail["From"])
    assert options == list(page.links) == [action["title"] for action in page.card["actions"]]
    assert page.card["hideOriginalBody"] is False
    assert {"False"} == {parse_qs(urlsplit(link).query)["showConfirm"][0] for link in page.links.values()}


@BOTH
def test_approval_mail_is_sent_like_any_mail(sandbox: Sandbox, alice: Connection, bob: Connection, path: str) -> None:
    """Recipients and the sender get copies, outside recipients go to the outbox, and origin headers are added."""
    carol = sandbox.connect("carol")
    attachment = {"Name": "plan.txt", "ContentBytes": base64.b64encode(b"plan").decode()}
    more = {"Subject": "Trip\n", "Importance": "High", "Attachments": [attachment], "HeaderText": "Oslo"}
    ask(alice, path, f"{bob.address}; {carol.address};zoe@example.org", **more)
    copies = [bob.mail(), carol.mail(), alice.mail("Sent Items")]

    for copy in copies:
        assert ("Trip", 2, True, "plan.txt") == (
            copy["Subject"],
            copy["Importance"],
            copy["HasAttachment"],
            copy["Attachments"][0]["Name"],
        )
    assert len({copy["Body"] for copy in copies}) == 1
    assert copies[0]["BodyPreview"].startswith("Oslo\r\n")
    assert [["zoe@example.org"]] == [outbox_mail["recipients"] for outbox_mail in sandbox.outbox.mails()]
    assert b"x-ms-mail-operation-type: Send" in bob.mime(copies[0]["Id"])


def test_texts(alice: Connection, bob: Connection) -> None:
    """The header, the body and the options' heading appear in the HTML and in the card."""
    ask(alice, HeaderText="Trip to Oslo", Body="Three days", SelectionText="Your choice")
    page = opened(bob)

    assert page.text.strip() == "Trip to OsloThree daysYour choiceApproveReject"
    assert ["Trip to Oslo", "Three days", "Your choice"] == [text_block["text"] for text_block in page.card["body"]]


def test_sdk_approval(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The snake_case names of Microsoft's client are accepted, including `h_t_m_l` for HTML."""
    message = ApprovalMessage(
        to=bob.address,
        subject="Trip",
        options="Yes, No",
        header_text="Oslo",
        selection_text="Choose",
        body="Details",
        importance="Low",
        use_only_h_t_m_l_message=True,
        hide_h_t_m_l_message=True,
        show_h_t_m_l_confirmation_dialog=True,
    )
    subscription = alice.sdk("send_approval_mail_async", ApprovalEmailSubscription(CALLBACK, message))
    mail, page = bob.mail(), opened(bob)

    assert (CALLBACK, "approval", subscription["id"]) == (
        subscription["notificationUrl"],
        questions(sandbox)[0]["kind"],
        questions(sandbox)[0]["id"],
    )
    assert ("Trip", 0) == (mail["Subject"], mail["Importance"])
    assert page.text.strip() == "OsloDetailsChooseYesNo"
    assert page.card is None
    assert all(link.endswith("&showConfirm=True") for link in page.links.values())


def test_sdk_mail_with_options(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Microsoft's client can send a mail with options whose card hides the HTML."""
    message = MessageWithOptions(to=bob.address, options="Red,Green", hide_h_t_m_l_message=True)
    alice.sdk("send_mail_with_options_async", OptionsEmailSubscription(CALLBACK, message))
    page = opened(bob)

    assert questions(sandbox)[0]["kind"] == "options"
    assert (["Red", "Green"], True) == (list(page.links), page.card["hideOriginalBody"])


@BOTH
def test_hundred_options(alice: Connection, bob: Connection, path: str) -> None:
    """The maximum is 100 options (Learn page); duplicates count once."""
    names = [f"Option {number}" for number in range(100)]
    ask(alice, path, Options=",".join([*names, "Option 0", "", " "]))

    assert names == list(opened(bob).links)
    assert len(set(opened(bob).links.values())) == 100


@BOTH
@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"Options": ",".join(f"o{number}" for number in range(101))}, ["Options", "101", "100"]),
        ({"Options": ""}, ["Options"]),
        ({"Options": " , ,"}, ["Options"]),
        ({"To": ""}, ["contains no recipients"]),
        ({"To": "nobody"}, ["nobody"]),
        ({"To": None}, ["Message.To"]),
        ({"Importance": "Huge"}, ["Importance"]),
        ({"Attachments": [{"Name": "a", "ContentBytes": "%"}]}, ["ContentBytes"]),
        ({"UseOnlyHTMLMessage": "perhaps"}, ["UseOnlyHTMLMessage"]),
    ],
)
def test_bad_message(
    sandbox: Sandbox, alice: Connection, bob: Connection, path: str, message: dict[str, Any], words: list[str]
) -> None:
    """An invalid message is rejected with the member's name, and nothing is sent."""
    body = {"NotificationUrl": CALLBACK, "Message": {"To": bob.address, **message}}
    answer = alice.http.post(path, json=body)

    assert answer.status_code == 400
    assert all(word in answer.text for word in words), answer.text
    assert (bob.mails(), alice.mails("Sent Items"), questions(sandbox)) == ([], [], [])


@BOTH
@pytest.mark.parametrize(
    "url", ["", "resume", "ftp://127.0.0.1/", "http://example.org/resume", "http://u:p@127.0.0.1/"]
)
def test_bad_callback(sandbox: Sandbox, alice: Connection, bob: Connection, path: str, url: str) -> None:
    """An invalid or disallowed callback URL is rejected before anything is sent."""
    answer = alice.http.post(path, json={"NotificationUrl": url, "Message": {"To": bob.address}})

    assert (answer.status_code, "NotificationUrl" in answer.text) == (400, True)
    assert (bob.mails(), questions(sandbox)) == ([], [])


@BOTH
@pytest.mark.parametrize(
    ("body", "word"), [({"NotificationUrl": CALLBACK}, "Message"), ({"Message": {"To": "a@b.c"}}, "NotificationUrl")]
)
def test_missing_member(alice: Connection, path: str, body: dict[str, Any], word: str) -> None:
    """The callback URL and the message are both required."""
    answer = alice.http.post(path, json=body)

    assert (answer.status_code, f"'{word}' is required" in answer.text) == (400, True)


# --- Answering ---


@pytest.mark.parametrize("confirm", [False, True])
def test_link(sandbox: Sandbox, alice: Connection, bob: Connection, confirm: bool) -> None:
    """A link answers at once, or opens a confirmation page whose form answers."""
    ask(alice, ShowHTMLConfirmationDialog=confirm)
    link = opened(bob).links["Reject"]
    shown = click(link)
    assert (answer(sandbox) is None) == confirm
    page = Page(shown.text)
    assert len(page.forms) == confirm
    for form in page.forms:
        target = urljoin(link, form["action"])
        assert (form["method"], parse_qs(urlsplit(target).query)["fromConfirm"]) == ("post", ["True"])
        assert "Your answer was recorded: Reject." in Page(click(target, "POST").text).text

    assert answer(sandbox) == "Reject"
    assert "answered already: Reject" in click(link).text
    assert Page(click(link).text).forms == []


def test_card(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A card button answers with any request body, and the response header reports the result as one line of ASCII."""
    ask(alice, Options="Grün\nund gut, Rot")
    first, second = opened(bob).card["actions"]
    done = httpx.post(
        first["url"], content=first["body"], headers={header["name"]: header["value"] for header in first["headers"]}
    )
    late = httpx.post(second["url"])

    assert "Your answer was recorded: Gr?n und gut." == done.headers["card-action-status"]
    assert "This was answered already: Gr?n und gut." == late.headers["card-action-status"]
    assert answer(sandbox) == "Grün\nund gut"


HTML = (
    '<p>Please <b>approve</b> <a href="https://example.com/?a=1&amp;b=2">this</a>:</p><ul><li>1</li>\n<li>2</li></ul>'
)


@BOTH
@pytest.mark.parametrize("flags", [{}, {"UseOnlyHTMLMessage": True}, {"HideHTMLMessage": True}])
def test_html_in_body_is_html_in_the_mail(alice: Connection, bob: Connection, path: str, flags: dict[str, Any]) -> None:
    """HTML in Body is HTML in the mail, in both mailboxes and in MIME, while Subject and the other texts stay texts.

    Five public workflows write HTML there. The vendor's documentation of the Office 365 twin says that only the card
    does not support it.
    """
    ask(alice, path, Body=HTML, Subject="<i>S</i>", HeaderText="<i>H</i>", SelectionText="<i>T</i>", **flags)
    received, sent = bob.mail(), alice.mail("SentItems")

    for mail in (received, sent):
        assert HTML in mail["Body"]
        assert ("<i>S</i>", True) == (mail["Subject"], mail["IsHtml"])
        page = Page(mail["Body"])
        assert "i" not in page.tags
        assert {"b", "ul", "li"} <= page.tags
        assert "<i>H</i>" in page.text
        assert "<i>T</i>" in page.text
    assert received["BodyPreview"].startswith("<i>H</i>\r\nPlease approve this:\r\n")
    html = message_from_bytes(bob.mime(received["Id"]), policy=default).get_body(("html",))
    assert html is not None
    assert HTML in html.get_content().replace("\r\n", "\n")


@BOTH
def test_a_whole_document_in_body_is_part_of_one_document(alice: Connection, bob: Connection, path: str) -> None:
    """A whole document in Body keeps its content and its styles, and the mail is one document (inferred).

    The service's line about the charset is first in the head, as recorded from the Office 365 twin: microsoft/Power-Fx
    O365OutlookTests, 2023-12.
    """
    ask(alice, path, Body="<!DOCTYPE html><html><head><style>p{}</style></head><body><p>Hi</p></body></html>")
    body = bob.mail()["Body"]

    assert "<style>p{}</style><p>Hi</p>" in body
    assert body.startswith('<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">')
    assert [1] * 6 + [0] == [
        body.lower().count(tag) for tag in ("<html", "<head", "<body", "</html", "</head", "</body", "<!doctype")
    ]


@BOTH
def test_plain_text_in_body_reads_well(alice: Connection, bob: Connection, path: str) -> None:
    """A text without elements keeps its lines and its brackets (inferred)."""
    ask(alice, path, Body="Dear Bob <bob@example.com>,\n\nis 1 < 2 & 3?\r\nYours")

    preview = bob.mail()["BodyPreview"]
    assert preview.startswith("Dear Bob <bob@example.com>,\r\n\r\nis 1 < 2 & 3?\r\nYours\r\n")


def test_pages_are_safe(alice: Connection, bob: Connection) -> None:
    """Pages escape hostile options and subjects, load nothing, and send no referrer."""
    ask(alice, Options=HOSTILE, Subject=HOSTILE, ShowHTMLConfirmationDialog=True)
    link = opened(bob).links[HOSTILE]
    for shown in (click(link), click(link, "POST"), click(link)):
        page = Page(shown.text)
        assert page.tags <= {"html", "head", "meta", "title", "body", "h1", "p", "form", "button"}
        assert page.text.count(HOSTILE) == 3
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert (shown.headers["referrer-policy"], shown.headers["x-content-type-options"]) == ("no-referrer", "nosniff")
        assert "no-store" in shown.headers["cache-control"]


def test_only_get_and_post_answer(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Only GET and POST answer; a link scanner's HEAD request is rejected."""
    ask(alice)
    link = opened(bob).links["Approve"]

    assert [405] * 3 == [click(link, method).status_code for method in ("HEAD", "PUT", "DELETE")]
    assert answer(sandbox) is None


def changed(link: str, **query: str | None) -> str:
    """A link with some of its query parameters replaced or removed."""
    query_values = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()} | query
    query_string = urlencode({name: value for name, value in query_values.items() if value is not None})
    return f"{link.partition('?')[0]}?{query_string}"


def state(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ({"sig": None}, 403, "sig"),
        ({"sig": ""}, 403, "sig"),
        ({"sig": "AAAA"}, 403, "sig"),
        ({"sig": "ä"}, 403, "sig"),
        ({"state": None}, 400, "state"),
        ({"state": ""}, 400, "state"),
        ({"state": "AAAA"}, 400, "state"),
        ({"state": "ä"}, 400, "state"),
        ({"state": "A"}, 400, "state"),
        ({"state": state("default", 1, "x")}, 400, "state"),
        ({"state": state("default", 1, "x", -1)}, 400, "state"),
        ({"state": state("default", True, "x", 0)}, 400, "state"),
        ({"state": state("default", 2**63, "x", 0)}, 400, "state"),
        ({"state": state(1, 1, "x", 0)}, 400, "state"),
        ({"state": state("default", 1, None, 0)}, 400, "state"),
        ({"state": base64.urlsafe_b64encode(b"7").decode()}, 400, "state"),
        ({"state": state("default", 1, "x", 0)}, 403, "state"),
        ({"state": state("no such sandbox", 1, "x", 0)}, 403, "state"),
        ({"state": "A" * 5000}, 400, "state"),
    ],
)
def test_bad_link(
    sandbox: Sandbox,
    alice: Connection,
    bob: Connection,
    method: str,
    query: dict[str, str | None],
    status: int,
    word: str,
) -> None:
    """A link with a missing or wrong state or signature is rejected, and the question stays open."""
    ask(alice)
    response = click(changed(opened(bob).links["Approve"], **query), method)

    assert (response.status_code, f"'{word}'" in response.json()["message"]) == (status, True), response.text
    assert answer(sandbox) is None


def test_signature_is_valid_for_its_own_state_only(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A signature is rejected with another option's state, when shortened, or when padded."""
    ask(alice)
    approve, reject = opened(bob).links.values()
    signature = parse_qs(urlsplit(reject).query)["sig"][0]
    whole = parse_qs(urlsplit(approve).query)
    tries = [
        changed(approve, sig=signature),
        changed(approve, sig=whole["sig"][0][:-1]),
        changed(approve, sig=whole["sig"][0] + "="),
        changed(approve, state=whole["state"][0] + "=="),
    ]

    assert [403] * 4 == [click(link).status_code for link in tries]
    assert answer(sandbox) is None


def test_another_sandbox_has_another_key(sandbox: Sandbox, server: Server, alice: Connection, bob: Connection) -> None:
    """A link signed by one sandbox is rejected for another, even if the ids match."""
    ask(alice)
    link = opened(bob).links["Approve"]
    signed = parse_qs(urlsplit(link).query)["state"][0].removeprefix(f"{sandbox.name}.")
    other = f"{sandbox.name}-other"
    server.http.post("/_emulator/api/sandboxes", json={"name": other, "connections": [{"address": "a@example.com"}]})
    response = click(changed(link, state=f"{other}.{signed}"))
    server.http.delete(f"/_emulator/api/sandboxes/{other}")

    assert (response.status_code, answer(sandbox)) == (403, None)


def test_reset_removes_questions(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A reset removes all questions and makes their links invalid."""
    ask(alice)
    link = opened(bob).links["Approve"]
    sandbox.api.post("/reset")

    assert click(link).status_code == 403
    assert questions(sandbox) == []


def test_the_engine_is_called_back(
    alice: Connection, bob: Connection, engine: tuple[str, Queue[tuple[str, str | None, bytes]]]
) -> None:
    """The first click posts the option to the callback URL, query included; a second click posts nothing."""
    url, calls = engine
    body = {"NotificationUrl": f"{url}/resume?sig=a%2Fb", "Message": {"To": bob.address, "Options": "Ja, Jäin"}}
    alice.post(OPTIONS, body)
    link = opened(bob).links["Jäin"]
    click(link)
    path, content_type, content = calls.get(timeout=10)
    click(link)
    alice.post(APPROVAL, body)
    click(next(iter(Page(bob.mails()[0]["Body"]).links.values())))

    assert ("/resume?sig=a%2Fb", "application/json") == (path, content_type)
    assert json.loads(content) == {"SelectedOption": "Jäin"}
    # Callbacks to one URL arrive in order: this one would be second if the second click had sent one.
    assert json.loads(calls.get(timeout=10)[2]) == {"SelectedOption": "Ja"}


# --- Withdrawing ---


@BOTH
def test_withdraw(sandbox: Sandbox, alice: Connection, bob: Connection, path: str) -> None:
    """DELETE on the `Location` URL withdraws a question; a later click says so, and records no answer."""
    subscription = ask(alice, path)
    link = next(iter(opened(bob).links.values()))
    gone = alice.http.delete(f"{path}/{subscription['id']}")
    late = click(link)

    assert (gone.status_code, gone.content) == (200, b"")
    assert (late.status_code, "withdrawn" in Page(late.text).text) == (200, True)
    assert [(None, True)] == [(question["answer"], question["withdrawn"]) for question in questions(sandbox)]


def test_withdraw_after_the_answer(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An engine can withdraw an answered question; the answer stays."""
    subscription = ask(alice)
    link = opened(bob).links["Approve"]
    click(link)

    assert alice.http.delete(f"{APPROVAL}/{subscription['id']}").status_code == 200
    assert "answered already: Approve" in click(link).text
    assert answer(sandbox) == "Approve"


def test_withdraw_unknown_id(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An id that is unknown, of another kind or mailbox, or already withdrawn is not found."""
    subscription_id = ask(alice)["id"]
    responses = [
        alice.http.delete(f"{APPROVAL}/nothing"),
        alice.http.delete(f"{OPTIONS}/{subscription_id}"),
        bob.http.delete(f"{APPROVAL}/{subscription_id}"),
    ]
    assert [404] * 3 == [response.status_code for response in responses]
    assert questions(sandbox)[0]["withdrawn"] is False

    assert [200, 404] == [alice.http.delete(f"{APPROVAL}/{subscription_id}").status_code for _ in range(2)]


# --- The admin API ---


def test_questions(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The admin API shows each question with its sender, recipients and answer."""
    subscription = ask(alice, OPTIONS, Subject="Lunch", Options="Soup, Salad")
    expected = {
        "id": subscription["id"],
        "kind": "options",
        "from": alice.address,
        "to": [bob.address],
        "subject": "Lunch",
        "options": ["Soup", "Salad"],
        "askedAt": "2026-03-02T09:00:00+00:00",
        "answer": None,
        "answeredAt": None,
        "answeredBy": None,
        "withdrawn": False,
    }
    (before,) = questions(sandbox)
    assert expected | {"askedAt": before["askedAt"]} == before
    answered = answer_as_admin(sandbox, "Salad")
    (after,) = questions(sandbox)

    assert (200, after) == (answered.status_code, answered.json())
    assert before | {"answer": "Salad", "answeredAt": before["askedAt"], "answeredBy": bob.address} == after


def test_answerer_among_many_is_unknown(sandbox: Sandbox, alice: Connection) -> None:
    """With several recipients `answeredBy` is null, because all of them have the same links."""
    ask(alice, to="a@example.org;b@example.org")
    answer_as_admin(sandbox, "Approve")

    (question,) = questions(sandbox)
    assert ("Approve", None) == (question["answer"], question["answeredBy"])


def test_admin_answers_as_a_click(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An answer through the admin API counts like a click, and the first answer stays."""
    ask(alice)
    link = opened(bob).links["Reject"]
    answer_as_admin(sandbox, "Approve")

    assert "answered already: Approve" in click(link).text
    assert (409, "Approve") == (answer_as_admin(sandbox, "Reject").status_code, answer(sandbox))


def test_rejected_admin_answers(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An unknown option, an unknown question and a withdrawn question are rejected."""
    subscription = ask(alice)
    unknown = answer_as_admin(sandbox, "approve")
    missing = sandbox.api.post("/questions/nothing/answer", json={"option": "Approve"})
    empty = sandbox.api.post(f"/questions/{subscription['id']}/answer", json={})
    alice.http.delete(f"{APPROVAL}/{subscription['id']}")

    assert [400, 404, 400] == [response.status_code for response in (unknown, missing, empty)]
    assert "Approve, Reject" in unknown.text
    assert (409, None) == (answer_as_admin(sandbox, "Approve").status_code, answer(sandbox))


def test_sdk_raises_on_an_invalid_message(alice: Connection, bob: Connection) -> None:
    """Microsoft's client raises an exception with the text of the error."""
    message = ApprovalMessage(to=bob.address, options=" , ")

    with pytest.raises(ConnectorException, match=r"Message\.Options"):
        alice.sdk("send_approval_mail_async", ApprovalEmailSubscription(CALLBACK, message))


def test_links_of_earlier_versions() -> None:
    """A link that has the sandbox inside, and not in front, is still read."""
    assert answer_links.read(state("team", 1, "q", 0)) == answer_links.read(f"team.{state(1, 'q', 0)}")
