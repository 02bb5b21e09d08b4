"""Who may send to whom, and what comes back."""

from __future__ import annotations

from typing import Any

from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_RECIPIENTS = 600
_NOBODY = "nobody@no-such-domain.invalid"


@probe(
    19,
    "senders-and-recipients",
    "What do foreign senders, impossible recipients and too many of them answer, and what is reported later?",
    settles=("text-send-as", "undeliverable-addresses", "report-text", "report-at-once", "returned-content"),
    needs=(Need.ADDRESS,),
    has_heavy_parts=True,
)
def senders_and_recipients(run: ProbeRun) -> None:
    """Sends from a stranger's address and to addresses that cannot be delivered to."""
    own = run.mailbox.address
    mails: dict[str, dict[str, Any]] = {
        "From a stranger": {"From": "stranger@example.com"},
        "From no address": {"From": "nobody at all"},
        "From oneself": {"From": own},
        "To no address": {"To": "nobody at all"},
        "To nobody": {"To": ""},
        "To an address and no address": {"To": f"{own};nobody at all"},
        "To addresses with commas": {"To": f"{own},{own}"},
        "To an address with a name": {"To": f"Somebody <{own}>"},
        "To addresses with empty parts": {"To": f";{own}; ;"},
        "Cc no address": {"Cc": "nobody at all"},
        "ReplyTo no address": {"ReplyTo": "nobody at all"},
    }
    for about, members in mails.items():
        run.respond(about, run.sent(about, **members), *(("text-send-as",) if about.startswith("From") else ()))
        mail = run.mailbox.find(run.name(about), "SentItems")
        run.record(f"{about}: To in Sent Items", mail and mail["To"])
    run.respond("To an address that cannot exist", run.sent("undeliverable", To=_NOBODY), "undeliverable-addresses")
    subject = f"Undeliverable: {run.name('undeliverable')}"
    at_once = run.mailbox.find(subject)
    run.record("the report is there at once", at_once is not None, "report-at-once")
    report = at_once or run.eventually(lambda: run.mailbox.find(subject))
    names = ("Subject", "From", "To", "Body", "HasAttachment", "Importance")
    shown = report and {name: report.get(name) for name in names}
    if shown:
        # The domain is that of the mailbox.
        shown["From"] = str(shown["From"]).partition("@")[0]
    run.record("the report", shown or "did not arrive", "report-text", "undeliverable-addresses", "returned-content")
    if run.heavy:
        many = ";".join(f"person{number}@example.com" for number in range(_RECIPIENTS))
        run.respond(f"{_RECIPIENTS} recipients", run.sent("many", To=many))
