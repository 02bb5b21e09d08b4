"""The list of sandboxes and the overview of one."""

from __future__ import annotations

from outlook_emulator.server.web.page import ROOT
from tests.conftest import Connection, Sandbox
from tests.server.web.forms import Visitor
from tests.server.web.stage import Stage


def test_overview_shows_the_state(stage: Stage, web: Visitor) -> None:
    """The overview shows the clock, armed faults, limits in use and the latest requests."""
    stage.sandbox.api.post(
        "/faults", json={"faults": [{"name": "slow-mail", "effect": {"status": 429}}]}
    ).raise_for_status()
    text = web.text()

    assert "2026-03-02 09:00:00 UTC" in text
    assert "slow-mail armed used 0, matched 0" in text
    assert f"09:00:00 200 {stage.alice.id} GetEmailsV2" in text
    assert f"09:00:00 429 {stage.alice.id} GetEmailsV2 fault busy" in text


def test_unread_mails(alice: Connection, web: Visitor) -> None:
    """The overview counts the mails of a mailbox over all folders, and those that are unread."""
    alice.deliver(subject="New")
    alice.deliver(subject="Old", is_read=True, folder="Archive")

    assert f"{alice.id} 1 2 alice@example.com Alice" in web.text()


def test_create_reset_and_delete(sandbox: Sandbox, web: Visitor) -> None:
    """A sandbox can be created with mailboxes, emptied and deleted."""
    name = f"{sandbox.name}-made"
    created = web.send(f"{ROOT}/", "create", name=name, connections=f"{name}-1, {name}-2", seeds=["empty"])
    page = created.headers["location"]

    assert f"{ROOT}/s/{name}/" == page
    assert all(f"{name}-{mailbox}" in web.text(page) for mailbox in ("1", "2", "empty"))

    sandbox.server.http.post(f"/apim/outlook/{name}-1/v2/Mail", headers={"Authorization": "Bearer x"})
    assert "Nothing yet." not in web.text(page)
    web.send(page, "reset")
    assert "Nothing yet." in web.text(page)

    assert f"{ROOT}/" == web.send(page, "delete").headers["location"]
    web.get(page, 404)


def test_refused_name(web: Visitor) -> None:
    """A refused form shows the text of the admin API and what was sent."""
    assert "A sandbox name has 1 to 64 letters, digits, - or _, unlike 'two words'." == web.refusal(
        f"{ROOT}/", "create", name="two words"
    )


def test_default_sandbox_cannot_be_deleted(web: Visitor) -> None:
    """The default sandbox can be reset, and has no form that deletes it."""
    html = web.get(f"{ROOT}/s/default/")

    assert 'value="reset"' in html
    assert 'value="delete"' not in html


def test_add_mailboxes(sandbox: Sandbox, web: Visitor) -> None:
    """A mailbox can be added by its id, and a sample by its name; a taken id is refused."""
    id = f"{sandbox.name}-carol"
    web.send("", "connect", id=id, address="carol@example.com", displayName="Carol")
    web.send("", "seed", name="empty", connection=f"{sandbox.name}-sample")

    assert f"{id} 0 0 carol@example.com Carol" in web.text()
    assert f"{sandbox.name}-sample" in web.text()
    assert f"The connection '{id}' exists already." == web.refusal("", "connect", id=id)


def test_names_are_escaped(alice: Connection, web: Visitor) -> None:
    """What callers call a mailbox is shown as text."""
    alice.sandbox.connect(address="x@example.com", display_name="<script>alert(1)</script>")

    assert "&lt;script&gt;alert(1)" in web.get()


def test_callbacks_and_imports(alice: Connection, web: Visitor) -> None:
    """The overview, the list and an entry show callbacks that failed and imports as well."""
    alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/hook"})
    alice.deliver(subject="News")
    alice.sandbox.advance("1s")
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nN:Ann\r\nEND:VCARD\r\nBEGIN:VCARD\r\nnonsense\r\nEND:VCARD\r\n"
    path = f"/connections/{alice.id}/contactfolders/Contacts/import"
    alice.api.post(path, content=card.encode(), headers={"content-type": "text/vcard"}).raise_for_status()
    text = web.text()

    assert "lost Callback to http://127.0.0.1:9/hook" in text
    assert "Import into Contacts" in text
    for entry in alice.sandbox.api.get("/journal").json()["value"]:
        assert str(entry["id"]) in web.text(f"journal/{entry['id']}")
    journal = web.text("journal")
    assert "import into Contacts: 1 imported, 2 left out" in journal
    assert "lost callback poke to http://127.0.0.1:9/hook error ConnectError" in journal
