"""What mails that ask for an answer look like, and what their links do."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_OPERATIONS = {
    "SendApprovalMail": "DeleteApprovalMailSubscription",
    "SendMailWithOptions": "DeleteOptionsMailSubscription",
}
_LINK = re.compile(r'href="([^"]*RecordResponse[^"]*)"')
_FORM = re.compile(r'<form[^>]*action="([^"]*)"')


@probe(
    10,
    "questions",
    "What do approval mails and mails with options contain, what do their links show, and what is called back?",
    settles=("approval-markup", "approval-pages", "options-list", "approval-body", "answer-links"),
    needs=(Need.ADDRESS, Need.CALLBACK),
)
def questions(run: ProbeRun) -> None:
    """Sends questions to the own mailbox, follows their links in several orders, and withdraws them."""
    for operation in _OPERATIONS:
        run.attempt(_question, operation)
        run.attempt(_text_and_confirmation, operation)
    if run.receiver is not None:
        run.attempt(_callbacks)


def _question(run: ProbeRun, operation: str) -> None:
    deletion = _OPERATIONS[operation]
    text = f"{operation} whole"
    texts = {"HeaderText": "A <b>header</b>", "SelectionText": "Choose & click", "Body": "<p>To <b>Oslo</b></p>"}
    exchange = _asked(run, operation, text, Options=" Yes ,,No, Yes", **texts)
    run.record(f"{operation}: create", _created(run, exchange))
    mail = run.look_for(text)
    if mail is None:
        run.record(f"{operation}: mail", "did not arrive", "approval-markup")
        return
    names = ("Body", "BodyPreview", "IsHtml", "Importance", "HasAttachment", "From", "To")
    run.record(f"{operation}: mail", {name: mail[name] for name in names}, "approval-markup", "approval-body")
    links = _links(mail)
    run.record(f"{operation}: links", [_form_of(link) for link in links], "answer-links", "options-list")
    if len(links) > 1:
        _clicks(run, operation, links)
    run.respond(f"{operation}: withdraw", run.mailbox.call(deletion, id=exchange.json().get("id", "")))
    if links:
        _page(run, f"{operation}: a link after that", run.mailbox.open(links[0]))
    again = run.mailbox.call(deletion, id=exchange.json().get("id", ""))
    run.respond(f"{operation}: withdraw again", again)


def _asked(run: ProbeRun, operation: str, text: str, **members: Any) -> Exchange:
    message = {"To": run.mailbox.address, "Subject": run.name(text), **members}
    url = f"{run.callback_url}/{operation}"
    exchange = run.mailbox.call(operation, {"NotificationUrl": url, "Message": message})
    if "location" in exchange.headers:
        run.mailbox.remember_subscription(str(exchange.headers["location"]))
    return exchange


def _created(run: ProbeRun, exchange: Exchange) -> dict[str, Any]:
    answer = run.response(exchange)
    if exchange.is_success:
        body = exchange.json()
        location = urlsplit(str(exchange.headers.get("location", ""))).path
        shown = {name: value for name, value in body.items() if name != "notificationUrl"}
        answer |= {"body": shown, "Location": location.replace(str(body.get("id")), "<id>")}
    return answer


def _clicks(run: ProbeRun, operation: str, links: list[str]) -> None:
    for about, link in (("first link", links[0]), ("the same link again", links[0]), ("another link", links[1])):
        _page(run, f"{operation}: {about}", run.mailbox.open(link))
    start, _, query = links[0].partition("?")
    without = "&".join(part for part in query.split("&") if not part.startswith("sig="))
    _page(run, f"{operation}: a link without its signature", run.mailbox.open(f"{start}?{without}"))


def _text_and_confirmation(run: ProbeRun, operation: str) -> None:
    text = f"{operation} text"
    exchange = _asked(run, operation, text, Options="Yes, No", Body="a & b\nc", ShowHTMLConfirmationDialog=True)
    mail = run.look_for(text)
    if mail is None:
        return
    run.record(f"{operation}: mail with a text", mail["Body"], "approval-body")
    links = _links(mail)
    if links:
        page = run.mailbox.open(links[0])
        _page(run, f"{operation}: link with a confirmation", page)
        forms = _FORM.findall(page.body.decode("utf-8", "replace"))
        if forms:
            done = run.mailbox.open(urljoin(links[0], unescape(forms[0])), "POST")
            _page(run, f"{operation}: the form of that page", done)
    run.mailbox.call(_OPERATIONS[operation], id=(exchange.json() or {}).get("id", ""))


def _page(run: ProbeRun, about: str, exchange: Exchange) -> None:
    content = exchange.body.decode("utf-8", "replace")
    answer = {"status": exchange.status, "Content-Type": exchange.headers.get("content-type", ""), "page": content}
    run.record(about, answer, "approval-pages")


def _links(mail: dict[str, Any]) -> list[str]:
    return [unescape(link) for link in dict.fromkeys(_LINK.findall(mail["Body"]))]


def _form_of(link: str) -> dict[str, Any]:
    url = urlsplit(link)
    place = url.path.partition("/apim/")[2].split("/")
    return {
        "parts of the path": len(place),
        "last part": place[-1],
        "names": [name for name, _ in parse_qsl(url.query, keep_blank_values=True)],
    }


def _callbacks(run: ProbeRun) -> None:
    assert run.receiver is not None
    # One answer of each question that was clicked, and one of each form.
    callbacks = run.receiver.wait(2 * len(_OPERATIONS))
    seen = [
        {
            "method": callback.method,
            "path": callback.path,
            "content-type": callback.headers.get("content-type", ""),
            "body": json.loads(callback.body or b"null"),
        }
        for callback in callbacks
    ]
    run.record("callbacks", sorted(seen, key=json.dumps), "approval-pages")
