"""Journeys of mails that ask for an answer: approvals and mails with options."""

from __future__ import annotations

import json
from functools import partial
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import Mailbox
from outlook_contract.receiver import Receiver

_APPROVAL, _OPTIONS = "SendApprovalMail", "SendMailWithOptions"
_DELETIONS = {_APPROVAL: "DeleteApprovalMailSubscription", _OPTIONS: "DeleteOptionsMailSubscription"}
_BOTH = pytest.mark.parametrize("operation", [_APPROVAL, _OPTIONS])
_CLICK, _FORM = "ReceiveResponseGet", "ReceiveResponsePost"
_PAGES = "approval-pages"
"""The deviation that explains other pages than the emulator's."""


class _Page(HTMLParser):
    """The links, the actions of forms and the text of a mail or page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.forms: list[str] = []
        self.methods: list[str] = []
        self.text = ""
        self.cards: list[Any] = []
        self.targets: list[str] = []
        self._link: str | None = None
        self._is_script = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "a":
            self._link = values.get("href")
            self.targets.append(self._link or "")
        elif tag == "form":
            self.forms.append(values.get("action") or "")
            self.methods.append((values.get("method") or "get").lower())
        elif tag in ("script", "style"):
            self._is_script = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None
        elif tag in ("script", "style"):
            self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self.links[data.strip()] = self._link
        if not self._is_script:
            self.text += data
        elif data.lstrip().startswith("{"):
            self.cards.append(json.loads(data))


def _asked(mailbox: Mailbox, operation: str, text: str, url: str, **message: Any) -> Exchange:
    """The exchange that sent a question to the own mailbox."""
    body = {"To": mailbox.address, "Subject": mailbox.name(text), **message}
    exchange = mailbox.call(operation, {"NotificationUrl": url, "Message": body})
    mailbox.equal(operation, "status", exchange.status, 201)
    if "location" in exchange.headers:
        mailbox.remember_subscription(exchange.headers["location"])
    return exchange


def _links(mailbox: Mailbox, text: str) -> dict[str, str]:
    """The links of the newest mail with a question, by option."""
    mail = mailbox.mail(mailbox.name(text))
    return {option: link for option, link in _Page(mail["Body"]).links.items() if "RecordResponse" in link}


def _shown(exchange: Exchange) -> str:
    return _Page(exchange.body.decode("utf-8", "replace")).text


@_BOTH
def test_a_question_is_a_subscription(mailbox: Mailbox, own_address: str, callback_url: str, operation: str) -> None:
    """The response describes a subscription, and names its URL in `Location`. Recorded from the Office 365 twin."""
    exchange = _asked(mailbox, operation, f"Described {operation}", callback_url)
    body = exchange.json()
    mailbox.members(operation, "", body, {"notificationType": "webhook", "notificationUrl": callback_url})
    location = exchange.headers.get("location", "")
    end = f"/$subscriptions/{body['id']}"
    mailbox.holds(operation, "Location", location, f"…{end}", location.partition("?")[0].endswith(end))
    for member, url in (("Location", location), ("resource", body["resource"])):
        mailbox.holds(operation, member, url, f"{mailbox.url}/…", url.startswith(f"{mailbox.url}/"))
    mailbox.ok(_DELETIONS[operation], id=body["id"])


@_BOTH
def test_a_question_arrives_with_a_link_for_each_option(
    mailbox: Mailbox, own_address: str, callback_url: str, operation: str
) -> None:
    """The mail shows the texts and has a link for each option. Documented; the form of the links is inferred."""
    texts = {"HeaderText": "About the trip", "SelectionText": "Please choose", "Body": "To <b>Oslo</b>"}
    name = f"Options {operation}"
    _asked(mailbox, operation, name, callback_url, Options="Yes, No, Later", Importance="High", **texts)
    mailbox.equal(operation, "Message.Options", list(_links(mailbox, name)), ["Yes", "No", "Later"])
    mail = mailbox.mail(mailbox.name(name))
    mailbox.members("GetEmailsV2", "value[]", mail, {"Importance": 2, "IsHtml": True})
    text = _Page(mail["Body"]).text
    for expected in ("About the trip", "Please choose", "Oslo"):
        mailbox.holds(operation, "Message", text, expected, expected in text)
    mailbox.holds(operation, "Message.Body", mail["Body"], "the HTML of Body", "<b>Oslo</b>" in mail["Body"])


@pytest.mark.parametrize(
    ("operation", "subject", "options"),
    [
        (_APPROVAL, "Approval Request", ["Approve", "Reject"]),
        (_OPTIONS, "Your input is required", ["Choice1", "Choice2", "Choice3"]),
    ],
)
def test_a_question_has_defaults(
    mailbox: Mailbox, own_address: str, callback_url: str, operation: str, subject: str, options: list[str]
) -> None:
    """Subject and options have the defaults that the definition names."""
    name = f"Defaults {operation}"
    _asked(mailbox, operation, name, callback_url)
    mailbox.equal(operation, "Message.Options", list(_links(mailbox, name)), options)
    # The default subject has no marker, so the mail is found by its text, and deleted here.
    message = {"To": mailbox.address, "HeaderText": mailbox.name(name)}
    created = mailbox.ok(operation, {"NotificationUrl": callback_url, "Message": message})
    for folder in ("Inbox", "SentItems"):
        mail = mailbox.until(f"The question in {folder}", partial(_with_text, mailbox, folder, mailbox.name(name)))
        mailbox.equal(operation, "Message.Subject", mail["Subject"], subject)
        mailbox.ok("DeleteEmail", messageId=mail["Id"])
        # A deleted mail lies in Deleted Items, where the second delete is final.
        if mail := _with_text(mailbox, "DeletedItems", mailbox.name(name)):
            mailbox.ok("DeleteEmail", messageId=mail["Id"])
    mailbox.ok(_DELETIONS[operation], id=created["id"])


@_BOTH
def test_a_click_answers_and_a_second_one_does_not(
    mailbox: Mailbox, own_address: str, receiver: Receiver, operation: str
) -> None:
    """The first click calls the subscriber with the option; later ones show that the question is answered.

    The body of the callback is declared by the definition; the pages and the second click are inferred.
    """
    name = f"Click {operation}"
    asked = _asked(mailbox, operation, name, f"{receiver.url}/resume?sig=a%2Fb", Options="Yes, No")
    links = _links(mailbox, name)
    first = mailbox.open(links["Yes"])
    mailbox.equal(_CLICK, "status", first.status, 200)
    kind = first.headers.get("content-type", "")
    mailbox.holds(_CLICK, "Content-Type", kind, "text/html", kind.startswith("text/html"))
    mailbox.holds(_CLICK, "page", _shown(first), "thanks for Yes", "recorded: Yes" in _shown(first), known=_PAGES)
    for link in links.values():
        again = _shown(mailbox.open(link))
        mailbox.holds(_CLICK, "page", again, "answered already: Yes", "answered already: Yes" in again, known=_PAGES)
    # Callbacks to one URL arrive in order: that of a second click would come before the one of another question.
    _asked(mailbox, operation, f"Next {name}", f"{receiver.url}/resume?sig=a%2Fb", Options="Maybe")
    mailbox.open(_links(mailbox, f"Next {name}")["Maybe"])
    callbacks = receiver.wait(2)
    mailbox.equal(operation, "callback", [callback.path for callback in callbacks], ["/resume?sig=a%2Fb"] * 2)
    answers = [json.loads(callback.body) for callback in callbacks]
    mailbox.equal(operation, "callback", answers, [{"SelectedOption": "Yes"}, {"SelectedOption": "Maybe"}])
    kind = callbacks[0].headers.get("content-type", "")
    mailbox.holds(operation, "callback", kind, "JSON", kind.startswith("application/json"))
    # Engines delete the subscription when their workflow changes (vendor's page), whether it was answered or not.
    mailbox.ok(_DELETIONS[operation], id=asked.json()["id"])


@_BOTH
def test_a_confirmation_page_asks_first(mailbox: Mailbox, own_address: str, receiver: Receiver, operation: str) -> None:
    """With ShowHTMLConfirmationDialog, a click shows a form, and only the form answers. Documented for the twin."""
    name = f"Confirm {operation}"
    _asked(mailbox, operation, name, receiver.url, Options="Yes, No", ShowHTMLConfirmationDialog=True)
    link = _links(mailbox, name)["No"]
    flag = parse_qs(urlsplit(link).query).get("showConfirm", [""])[0]
    mailbox.equal(operation, "Message.ShowHTMLConfirmationDialog", flag.casefold(), "true")
    forms = []
    for _ in range(2):
        page = mailbox.open(link)
        form = _Page(page.body.decode())
        forms = form.forms
        mailbox.equal(_CLICK, "showConfirm", form.methods, ["post"])
    if mailbox.holds(_CLICK, "callback", receiver.callbacks, "none before the form", not receiver.callbacks) and forms:
        done = mailbox.open(urljoin(link, forms[0]), "POST")
        mailbox.equal(_FORM, "status", done.status, 200)
        mailbox.holds(_FORM, "page", _shown(done), "thanks for No", "recorded: No" in _shown(done), known=_PAGES)
    answers = [json.loads(callback.body) for callback in receiver.wait()]
    mailbox.equal(_FORM, "callback", answers, [{"SelectedOption": "No"}])


def test_a_link_has_a_signature_of_its_own(mailbox: Mailbox, own_address: str, callback_url: str) -> None:
    """The signature of one option is none for another. Inferred."""
    _asked(mailbox, _APPROVAL, "Swapped", callback_url, ShowHTMLConfirmationDialog=True)
    links = _links(mailbox, "Swapped")
    start, _, query = links["Approve"].partition("?")
    other = parse_qs(urlsplit(links["Reject"]).query)["sig"][0]
    parts = [f"sig={other}" if part.startswith("sig=") else part for part in query.split("&")]
    mixed = f"{start}?{'&'.join(parts)}"
    mailbox.equal(_CLICK, "sig", mailbox.open(mixed).status, 403, known=_PAGES)


@_BOTH
def test_a_button_of_the_card_answers(mailbox: Mailbox, own_address: str, receiver: Receiver, operation: str) -> None:
    """A button of the card posts to a URL, which counts as an answer. Definition of the twin; the card is inferred."""
    name = f"Button {operation}"
    _asked(mailbox, operation, name, receiver.url, Options="Yes, No")
    (card,) = _Page(mailbox.mail(mailbox.name(name))["Body"]).cards
    action = card["actions"][1]
    mailbox.equal(operation, "card.actions[].method", action["method"], "POST")
    mailbox.equal(_FORM, "status", mailbox.open(action["url"], "POST").status, 200)
    answers = [json.loads(callback.body) for callback in receiver.wait()]
    mailbox.equal(_FORM, "callback", answers, [{"SelectedOption": "No"}])


@pytest.mark.parametrize("wrong", ["sig", "state"])
def test_a_forged_link_is_refused(mailbox: Mailbox, own_address: str, callback_url: str, wrong: str) -> None:
    """A link without its signature, or with another state, answers nothing. Inferred."""
    name = f"Forged {wrong}"
    _asked(mailbox, _APPROVAL, name, callback_url, ShowHTMLConfirmationDialog=True)
    link = _links(mailbox, name)["Approve"]
    start, _, query = link.partition("?")
    parts = [part for part in query.split("&") if not part.startswith(f"{wrong}=")]
    broken = f"{start}?{'&'.join(parts)}"
    for operation, method in ((_CLICK, "GET"), (_FORM, "POST")):
        status = mailbox.open(broken, method).status
        mailbox.equal(operation, wrong, status, 403 if wrong == "sig" else 400, known=_PAGES)
    mailbox.equal(_CLICK, "status", mailbox.open(link).status, 200)


@_BOTH
def test_a_withdrawn_question_takes_no_answer(
    mailbox: Mailbox, partner: Mailbox, own_address: str, receiver: Receiver, operation: str
) -> None:
    """After its deletion a question calls nobody, and its page says so. Only its sender can delete it. Inferred."""
    name = f"Withdrawn {operation}"
    created = _asked(mailbox, operation, name, receiver.url, Options="Yes, No")
    link = _links(mailbox, name)["Yes"]
    id = created.json()["id"]
    other = _DELETIONS[_OPTIONS if operation == _APPROVAL else _APPROVAL]
    partner.refused(_DELETIONS[operation], 404, id=id, code="ErrorItemNotFound")
    mailbox.refused(other, 404, id=id, code="ErrorItemNotFound")
    mailbox.ok(_DELETIONS[operation], id=id)
    mailbox.refused(_DELETIONS[operation], 404, id=id, code="ErrorItemNotFound")
    late = _shown(mailbox.open(link))
    mailbox.holds(_CLICK, "page", late, "the question was withdrawn", "withdrawn" in late, known=_PAGES)
    _asked(mailbox, operation, f"Next {name}", receiver.url, Options="Maybe")
    mailbox.open(_links(mailbox, f"Next {name}")["Maybe"])
    answers = [json.loads(callback.body) for callback in receiver.wait()]
    mailbox.equal(operation, "callback", answers, [{"SelectedOption": "Maybe"}])


@_BOTH
def test_an_unknown_question_cannot_be_withdrawn(mailbox: Mailbox, operation: str) -> None:
    """An id that no question has is not found. Inferred."""
    unknown = "00000000-0000-4000-8000-000000000000"
    mailbox.refused(_DELETIONS[operation], 404, id=unknown, code="ErrorItemNotFound")


@_BOTH
def test_a_question_without_sense_is_refused(
    mailbox: Mailbox, own_address: str, callback_url: str, operation: str
) -> None:
    """A question needs a callback that is a URL, a message, and a recipient. Inferred."""
    message = {"To": own_address, "Subject": mailbox.name("Nobody")}
    mailbox.refused(operation, 400, {"NotificationUrl": callback_url})
    mailbox.refused(operation, 400, {"Message": message})
    mailbox.refused(operation, 400, {"NotificationUrl": "nowhere", "Message": message})
    mailbox.refused(operation, 400, {"NotificationUrl": callback_url, "Message": {**message, "To": ""}})
    many = ",".join(f"Option {number}" for number in range(101))
    mailbox.refused(operation, 400, {"NotificationUrl": callback_url, "Message": {**message, "Options": many}})
    mailbox.equal(operation, "", mailbox.find(message["Subject"]), None)
    # As many as the documentation allows.
    most = many.rpartition(",")[0]
    _asked(mailbox, operation, f"Hundred {operation}", callback_url, Options=most)
    mailbox.equal(operation, "Message.Options", list(_links(mailbox, f"Hundred {operation}")), most.split(","))


def _with_text(mailbox: Mailbox, folder: str, text: str) -> Any:
    """The newest mail that has a text, and not in its subject."""
    mails = mailbox.ok("GetEmailsV2", folderPath=folder, fetchOnlyUnread=False, top=10)["value"]
    return next((mail for mail in mails if text in mail["Body"] and text not in mail["Subject"]), None)


@_BOTH
def test_the_texts_of_a_question_are_escaped(
    mailbox: Mailbox, own_address: str, callback_url: str, operation: str
) -> None:
    """Markup in an option or a heading is shown as it is; options are trimmed, and none comes twice (inferred)."""
    name = f"Escaped {operation}"
    texts = {"HeaderText": "1 <u>2</u></script>", "SelectionText": "3 <u>4</u>"}
    exchange = _asked(mailbox, operation, name, callback_url, Options=" A <i>b</i> ,, C , C", **texts)
    mailbox.equal(operation, "Message.Options", list(_links(mailbox, name)), ["A <i>b</i>", "C"])
    mail = mailbox.mail(mailbox.name(name))
    page = _Page(mail["Body"])
    links = [target for target in page.targets if "RecordResponse" in target]
    mailbox.equal(operation, "Message.Options", len(links), 2)
    text = page.text
    for expected in ("1 <u>2</u></script>", "3 <u>4</u>"):
        mailbox.holds(operation, "Message", text, expected, expected in text)
    mailbox.follow(exchange.headers["location"], "DELETE")


@_BOTH
def test_a_page_shows_the_subject_as_text(
    mailbox: Mailbox, own_address: str, receiver: Receiver, operation: str
) -> None:
    """Markup in a subject is shown by the page, and is not part of its markup."""
    name = f"<u>Page</u> {operation}"
    _asked(mailbox, operation, name, receiver.url, Options="Yes")
    page = mailbox.open(_links(mailbox, name)["Yes"])
    mailbox.holds(_CLICK, "page", _shown(page), "the subject", "<u>Page</u>" in _shown(page), known=_PAGES)
    receiver.wait()


@_BOTH
def test_a_question_has_a_card(mailbox: Mailbox, own_address: str, callback_url: str, operation: str) -> None:
    """The mail holds an actionable card, unless UseOnlyHTMLMessage leaves it out. Documented; its form is inferred."""
    for only_html, hides in ((False, False), (False, True), (True, False)):
        name = f"Card {operation} {only_html} {hides}"
        flags = {"UseOnlyHTMLMessage": only_html, "HideHTMLMessage": hides}
        exchange = _asked(mailbox, operation, name, callback_url, Options="Yes", **flags)
        cards = _Page(mailbox.mail(mailbox.name(name))["Body"]).cards
        mailbox.equal(operation, "Message.UseOnlyHTMLMessage", len(cards), 0 if only_html else 1)
        for card in cards:
            mailbox.members(operation, "card", card, {"type": "AdaptiveCard", "hideOriginalBody": hides})
            titles = [action["title"] for action in card["actions"]]
            mailbox.equal(operation, "card.actions[].title", titles, ["Yes"])
        mailbox.follow(exchange.headers["location"], "DELETE")


@_BOTH
def test_a_question_takes_files_along(
    mailbox: Mailbox, partner: Mailbox, own_address: str, callback_url: str, operation: str
) -> None:
    """Attachments of the message are those of the mail, which goes to every recipient."""
    name = f"Files {operation}"
    file = {"Name": "plan.txt", "ContentBytes": "aGk="}
    to = f"{own_address};{partner.address}"
    exchange = _asked(mailbox, operation, name, callback_url, Attachments=[file], To=to)
    mailbox.equal(operation, "Message.To", partner.mail(mailbox.name(name))["To"], to)
    copy = mailbox.mail(mailbox.name(name), "SentItems")
    mailbox.equal(operation, "Message.To", copy["To"], to)
    mail = mailbox.mail(mailbox.name(name))
    mailbox.equal(operation, "Message.Attachments", [item["Name"] for item in mail["Attachments"]], ["plan.txt"])
    mailbox.equal(operation, "Message.Importance", mail["Importance"], 1)
    mailbox.follow(exchange.headers["location"], "DELETE")
