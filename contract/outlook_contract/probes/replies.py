"""What replies contain, and to whom they go."""

from __future__ import annotations

from typing import Any

from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_OTHER, _COPY = "other@example.com", "copy@example.com"
_MEMBERS = ("Subject", "To", "Cc", "Bcc", "Importance", "Body", "IsHtml")


@probe(
    18,
    "replies",
    "To whom does a reply go that names recipients, and which subject, importance and quotation does it have?",
    settles=("reply-recipients", "reply-markup", "quoted-document"),
    needs=(Need.ADDRESS,),
)
def replies(run: ProbeRun) -> None:
    """Answers mails to oneself, and reads the copies in Sent Items."""
    bodies: dict[str, dict[str, Any]] = {
        "body alone": {"Body": "<p>Answer</p>"},
        "To": {"Body": "<p>Answer</p>", "To": _OTHER},
        "Cc": {"Body": "<p>Answer</p>", "Cc": _COPY},
        "reply to all": {"Body": "<p>Answer</p>", "ReplyAll": True},
        "reply to all with To": {"Body": "<p>Answer</p>", "ReplyAll": True, "To": _OTHER},
        "an empty subject": {"Body": "<p>Answer</p>", "Subject": ""},
        "a whole document": {"Body": "<html><head><title>T</title></head><body><p>Answer</p></body></html>"},
        "no body": {},
    }
    for about, body in bodies.items():
        original = run.to_self(about, Cc=_COPY, Importance="High")
        exchange = run.mailbox.call("ReplyToV3", body, messageId=original["Id"])
        run.respond(f"{about}: send", exchange)
        _record(run, about, "reply-recipients", "quoted-document", "reply-markup")
    original = run.to_self("version 2")
    text = {"Body": "Hi\n<b>", "IsHtml": False}
    run.respond("version 2, text: send", run.mailbox.call("ReplyToV2", text, messageId=original["Id"]))
    _record(run, "version 2", "reply-markup")
    original = run.to_self("version 1")
    exchange = run.mailbox.call("ReplyTo", messageId=original["Id"], comment="Hi <b>", replyAll=False)
    run.respond("version 1: send", exchange)
    _record(run, "version 1", "reply-markup")
    body = {"Comment": "FYI <b>", "ToRecipients": run.mailbox.address}
    original = run.to_self("forward", Body="<html><head><title>T</title></head><body><p>Hello</p></body></html>")
    run.respond("forward: send", run.mailbox.call("ForwardEmail", body, message_id=original["Id"]))
    _record(run, "forward", "reply-markup", "quoted-document", prefix="FW: ")


def _record(run: ProbeRun, about: str, *deviations: str, prefix: str = "RE: ") -> None:
    copy = run.eventually(lambda: run.mailbox.find(f"{prefix}{run.name(about)}", "SentItems"))
    shown = copy and {name: copy.get(name) for name in _MEMBERS}
    run.record(f"{about}: the copy in Sent Items", shown or f"no mail with the prefix {prefix}", *deviations)
