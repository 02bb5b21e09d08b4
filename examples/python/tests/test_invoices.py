import asyncio

import pytest
from azure.connectors.sdk import ConnectorException
from invoices import main, send_invoice


def send(outlook, outlook_clock):
    """Send an invoice; instead of sleeping, the emulator's clock moves."""

    async def sleep(seconds):
        outlook_clock.advance(seconds)

    async def run():
        async with outlook.client(max_retry_attempts=1) as client:
            await send_invoice(client, "customer@example.net", 17, b"%PDF-", sleep)

    asyncio.run(run())


def test_the_customer_gets_the_invoice(outlook, outlook_clock, outlook_outbox):
    send(outlook, outlook_clock)

    (mail,) = outlook_outbox.mails()
    assert (mail["subject"], mail["recipients"]) == ("Invoice 17", ["customer@example.net"])
    assert outlook_outbox.attachment(mail, "invoice-17.pdf") == b"%PDF-"


def test_a_lost_response_does_not_send_it_twice(outlook, outlook_clock, outlook_outbox, outlook_faults):
    outlook_faults.add("timeout-504-after", operation="SendEmailV2", nth=1)

    send(outlook, outlook_clock)

    assert len(outlook_outbox.mails()) == 1


def test_a_failed_attempt_is_repeated(outlook, outlook_clock, outlook_outbox, outlook_faults):
    outlook_faults.add("timeout-504-before", operation="SendEmailV2", nth=1)

    send(outlook, outlook_clock)

    assert len(outlook_outbox.mails()) == 1


@pytest.mark.outlook(faults=["token-expired"])
def test_an_expired_connection_is_an_error_at_once(outlook, outlook_clock, outlook_journal):
    with pytest.raises(ConnectorException, match="401"):
        send(outlook, outlook_clock)

    outlook_journal.assert_called(operation="SendEmailV2", times=1)


def test_the_program(outlook, outlook_environment, outlook_faults, outlook_outbox, monkeypatch, tmp_path):
    """As in production: the URL from the environment, and a token of DefaultAzureCredential."""
    monkeypatch.setattr("invoices.DELAYS", (0.0,))
    outlook_faults.add("timeout-504-after", operation="SendEmailV2", nth=1)
    pdf = tmp_path / "invoice.pdf"
    pdf.write_bytes(b"%PDF-")

    asyncio.run(main("customer@example.net", "18", str(pdf)))

    assert [mail["subject"] for mail in outlook_outbox.mails()] == ["Invoice 18"]
