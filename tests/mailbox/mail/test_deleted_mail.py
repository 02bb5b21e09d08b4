"""Where a deleted mail goes: to Deleted Items, or with `--deleted-mail gone` nowhere.

Contested. Users of Microsoft Graph report that a deleted mail is not in Deleted Items (microsoft/work-iq issue 94 of
2026, gptscript-ai/desktop issue 451 of 2024: notes from live use of the service behind the connector); community notes
say of the connector that it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import START, Connection, Sandbox, Server, new_sandbox
from tests.mailbox.triggers.test_mail_triggers import FLAGGED, NEW, Poller

GONE = (404, "ErrorItemNotFound")


@pytest.fixture(scope="module")
def gone_server() -> Iterator[Server]:
    """A server where deleted mail is gone."""
    clock, settings = VirtualClock(START), Settings(max_calls=0, deleted_mail="gone")
    with running(settings, clock) as running_server, Server(running_server.url, clock) as server:
        yield server


@pytest.fixture
def gone_sandbox(gone_server: Server) -> Iterator[Sandbox]:
    with new_sandbox(gone_server) as sandbox:
        yield sandbox


@pytest.fixture
def ann(gone_sandbox: Sandbox) -> Connection:
    return gone_sandbox.connect("ann")


def delete(connection: Connection, id: str) -> tuple[int, str | None]:
    answer = connection.http.delete(f"/Mail/{id}")
    return answer.status_code, answer.json()["error"]["code"] if answer.content else None


def invoke_delete(connection: Connection, id: str) -> int:
    """Delete a mail through the management API's dynamicInvoke."""
    path = f"/subscriptions/s/resourceGroups/r/providers/Microsoft.Web/connections/{connection.id}/dynamicInvoke"
    answer = connection.sandbox.server.http.post(
        f"{path}?api-version=2016-06-01",
        json={"request": {"method": "DELETE", "path": f"/Mail/{id}"}},
        headers={"Authorization": "Bearer token"},
    )
    assert answer.json()["response"]["statusCode"] == "OK", answer.text
    return answer.status_code


def test_deleted_mail_stays_as_it_is_by_default(alice: Connection) -> None:
    """A deleted mail is in Deleted Items with a new id; the old id is gone, and a second delete there is final.

    Community notes on the connector, unconfirmed.
    """
    mail = alice.deliver()
    assert (200, None) == delete(alice, mail["Id"])
    (binned,) = alice.mails("Deleted Items")

    assert binned["Id"] != mail["Id"]
    assert binned["InternetMessageId"] == mail["InternetMessageId"]
    assert delete(alice, mail["Id"]) == GONE
    assert (200, None) == delete(alice, binned["Id"])
    assert alice.mails("Deleted Items") == []


@pytest.mark.parametrize("folder", ["Inbox", "Archive", "Deleted Items"])
def test_deleted_mail_gone(ann: Connection, folder: str) -> None:
    """A deleted mail is in no folder, and a second delete is 404.

    Notes from live use of Microsoft Graph: microsoft/work-iq issue 94, 2026-03; gptscript-ai/desktop issue 451, 2024.
    """
    mail = ann.deliver(folder=folder, attachments=[{"Name": "a.txt", "ContentBytes": "YQ=="}])
    kept = ann.deliver(folder=folder, subject="Kept")
    assert (200, None) == delete(ann, mail["Id"])

    assert delete(ann, mail["Id"]) == GONE
    assert {name: ann.mails(name) for name in ("Inbox", "Archive", "Deleted Items")} == {
        name: [kept] if name == folder else [] for name in ("Inbox", "Archive", "Deleted Items")
    }
    answer = ann.http.get(f"/Mail/{mail['Id']}", params={"internetMessageId": mail["InternetMessageId"]})
    assert answer.status_code == 404
    assert ann.http.get(f"/Mail/{mail['Id']}/Attachments/{mail['Attachments'][0]['Id']}").status_code == 404


def test_deleted_mail_gone_through_the_management_api(ann: Connection) -> None:
    """The setting holds for every way to call the operation (contested, as above)."""
    mail = ann.deliver()
    invoke_delete(ann, mail["Id"])

    assert ann.mails() == ann.mails("Deleted Items") == []


def test_deleted_mail_gone_fires_no_trigger(ann: Connection) -> None:
    """No trigger sees a mail that was deleted before the poll, in whichever folder it watches (contested, as above)."""
    pollers = [Poller(ann, NEW, folderPath=folder) for folder in ("Inbox", "Deleted Items")]
    pollers.append(Poller(ann, FLAGGED, folderPath="Deleted Items"))
    delete(ann, ann.deliver(is_flagged=True)["Id"])

    assert [poller.ask() for poller in pollers] == [[], [], []]


def test_deleted_mail_by_default_fires_triggers_of_deleted_items(alice: Connection) -> None:
    """A deleted mail is moved, so triggers of Deleted Items see it as they see any mail that is moved in.

    Vendor's page of the Office 365 twin: a mail that is moved in fires if it was received after the last one seen.
    """
    new, flagged = Poller(alice, NEW, folderPath="Deleted Items"), Poller(alice, FLAGGED, folderPath="Deleted Items")
    alice.sandbox.clock.advance("1m")
    delete(alice, alice.deliver(subject="Binned", is_flagged=True)["Id"])

    assert [new.subjects(), flagged.subjects()] == [["Binned"], ["Binned"]]


def test_deleted_mail_gone_leaves_other_copies(gone_sandbox: Sandbox, ann: Connection) -> None:
    """A mail that is gone in one mailbox is still in the others, with its attachments (contested, as above)."""
    ben = gone_sandbox.connect("ben")
    ann.send(ben.address, Attachments=[{"Name": "a.txt", "ContentBytes": "YQ=="}])
    delete(ann, ann.mail("Sent Items")["Id"])

    assert ann.mails("Sent Items") == ann.mails("Deleted Items") == []
    assert ben.mails(includeAttachments=True)[0]["Attachments"][0]["ContentBytes"] == "YQ=="


def test_deleted_mail_gone_is_not_found_by_a_search(ann: Connection) -> None:
    """The search forgets a mail that is gone (contested, as above)."""
    mail = ann.deliver(subject="Zebra")
    assert [hit["Id"] for hit in ann.mails(searchQuery="zebra")] == [mail["Id"]]
    delete(ann, mail["Id"])

    assert ann.mails(searchQuery="zebra") == []
