"""The buttons of mails that wait for an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection, Sandbox
from tests.server.web.forms import PageReader, Visitor

URL = "http://127.0.0.1:9/callback"


def ask(mailbox: Connection, to: str, kind: str = "approvalmail", **message: Any) -> str:
    """Send a mail that asks, and return the id of the question."""
    body = {"NotificationUrl": URL, "Message": {"To": to, "Subject": "Pay?", "Options": "Yes, No", **message}}
    response = mailbox.post(f"/{kind}/$subscriptions", body)
    return str(response.headers["location"].rsplit("/", 1)[1])


def press(web: Visitor, path: str, option: str, status: int = 303) -> str:
    """Press the button of an option, and return the page that follows or shows the refusal."""
    forms = PageReader(web.get(path)).forms
    form = next(form for form in forms if form.fields.get("option") == option)
    response = web.http.post(form.action, data=form.fields)
    assert status == response.status_code
    return response.text


@pytest.mark.parametrize("kind", ["approvalmail", "mailwithoptions"])
def test_answer_in_the_list(alice: Connection, web: Visitor, kind: str) -> None:
    """A button in the list answers, shows the answer, and calls the workflow back."""
    ask(alice, "boss@outside.example", kind)
    assert "Open (1) Answered (0)" in web.text("approvals")
    press(web, "approvals", "No")
    (callback,) = alice.api.get("/callbacks").json()["value"]

    assert "Pay? answered From alice@example.com to boss@outside.example" in web.text("approvals")
    assert "by boss@outside.example" in web.text("approvals")
    assert URL == callback["url"]
    assert "answer" == callback["kind"]


def test_answer_in_the_inbox(alice: Connection, bob: Connection, web: Visitor) -> None:
    """The mail in the inbox of the approver has the buttons."""
    ask(alice, "bob@example.com", Body="<p>1,200</p>")
    url = f"m/{bob.id}/mail/message/{bob.mail()['Id']}"

    assert "Approval open Yes No" in web.text(url)
    press(web, url, "Yes")
    assert "Approval answered Yes at" in web.text(url)


def test_answer_in_the_outbox(alice: Connection, web: Visitor) -> None:
    """The mail to an approver outside has the buttons in the outbox."""
    ask(alice, "boss@outside.example", "mailwithoptions")
    press(web, "outbox/1", "Yes")

    assert "Options answered Yes at" in web.text("outbox/1")


def test_second_answer(alice: Connection, web: Visitor) -> None:
    """A page from before the answer is told that it is late."""
    ask(alice, "boss@outside.example")
    (form,) = (form for form in PageReader(web.get("approvals")).forms if form.fields.get("option") == "No")
    press(web, "approvals", "Yes")
    response = web.http.post(form.action, data=form.fields)

    assert 409 == response.status_code
    assert "was answered already: Yes." in response.text


def test_withdrawn(alice: Connection, web: Visitor) -> None:
    """A mail that was withdrawn has no buttons."""
    id = ask(alice, "boss@outside.example")
    alice.http.delete(f"/approvalmail/$subscriptions/{id}").raise_for_status()

    assert "Withdrawn without an answer" in web.text("approvals?state=withdrawn")
    assert 'value="Yes"' not in web.get("approvals")
    assert "None is open." in web.text("approvals?state=open")


def test_paging(alice: Connection, web: Visitor) -> None:
    """A long list has pages."""
    for number in range(51):
        ask(alice, "boss@outside.example", Subject=f"number {number}")

    assert "number 50" in web.text("approvals")
    assert "number 0 " not in web.text("approvals")
    assert "number 0 " in web.text("approvals?skip=50")
    assert "Newer" in web.text("approvals?skip=50")
    assert "number 50" in web.text("approvals?skip=x")


@pytest.mark.parametrize("state", ["", "eA", "W10", "WyJkZWZhdWx0IiwxLCJ4IiwwXQ"])
def test_links_that_lead_nowhere(alice: Connection, web: Visitor, state: str) -> None:
    """A mail with a link that only looks like an answer has no buttons."""
    mail = alice.deliver(html=f"<a href='http://x/apim/outlook/RecordResponse?state={state}&sig=y'>Yes</a>")

    assert 'value="answer"' not in web.get(f"m/{alice.id}/mail/message/{mail['Id']}")


def test_send_an_approval(sandbox: Sandbox, web: Visitor) -> None:
    """The form sends an approval mail from a mailbox, which can be answered at once."""
    alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
    web.send(
        "approvals",
        "ask",
        connection=alice.id,
        To=bob.address,
        Subject="Pay 4711?",
        Options="Pay, Refuse",
        NotificationUrl=URL,
    )

    assert "Pay 4711?" == bob.mail()["Subject"]
    press(web, "approvals", "Pay")
    (callback,) = sandbox.api.get("/callbacks").json()["value"]
    assert URL == callback["url"]


def test_refused_approval(alice: Connection, web: Visitor) -> None:
    """A URL that cannot be called back is refused with the name of the field."""
    refusal = web.refusal("approvals", "ask", connection=alice.id, To="a@example.com", NotificationUrl="nowhere")

    assert "NotificationUrl" in refusal
