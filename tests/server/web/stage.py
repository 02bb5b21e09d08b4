"""A sandbox with something on each page, and the values that open the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outlook_emulator.server.web.page import Page, url_of
from outlook_emulator.server.web.pages import PAGES
from tests.conftest import Connection, Sandbox

SHOWN = [page for page in PAGES if page.template]
"""The rows that are pages; the others are files."""


@dataclass(frozen=True)
class Stage:
    """A sandbox with content. `values` holds an example of each parameter of a path."""

    sandbox: Sandbox
    alice: Connection
    values: dict[str, str]

    def url(self, page: Page) -> str:
        """The URL of a page of this sandbox."""
        return url_of(page.path, self.values, {})

    def base(self, path: str = "", **more: Any) -> str:
        """The URL of a page below that of the sandbox."""
        return url_of(f"/s/{{sandbox}}/{path}", self.values | more, more)


def staged(sandbox: Sandbox) -> Stage:
    """Fill a sandbox with an example of everything that pages show."""
    alice = sandbox.connect("alice")
    files = [{"Name": "invoice.pdf", "ContentBytes": "JVBERg=="}, {"Name": "old.eml", "ContentBytes": "WA=="}]
    invoice = alice.deliver(
        subject="Invoice 4711", html="<p>Please pay.</p>", sender="billing@supplier.example", attachments=files
    )
    event = alice.meet("Review", RequiredAttendees="bob@example.com")
    contact = alice.post(
        "/datasets/contacts/tables/Contacts/items", {"GivenName": "Grace", "Surname": "Hopper", "HomePhones": []}
    ).json()
    approval = {"To": "boss@outside.example", "Subject": "Pay 4711?", "Options": "Pay, Refuse", "Attachments": files}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/callback", "Message": approval})
    alice.http.get("/v2/Mail")
    busy = {"name": "busy", "effect": {"fault": "throttled", "retryAfter": 0}, "when": {"times": 1}}
    sandbox.api.post("/faults", json={"faults": [busy]}).raise_for_status()
    for _ in range(2):
        alice.http.get("/v2/Mail")
    sandbox.api.put("/snapshots/start")
    values = {
        "sandbox": sandbox.name,
        "connection": alice.id,
        "entry": sandbox.api.get("/journal").json()["value"][0]["id"],
        "operation": "SendEmailV2",
        "message": invoice["Id"],
        "outbox_mail": str(sandbox.api.get("/outbox").json()["value"][-1]["id"]),
        "file": "1",
        "event": event["Id"],
        "contact": contact["Id"],
    }
    return Stage(sandbox, alice, values)
