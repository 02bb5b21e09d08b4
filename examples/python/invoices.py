"""Sends an invoice, and tries again after errors without sending it twice."""

import asyncio
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from azure.connectors.outlook import ClientSendAttachment, ClientSendHtmlMessage, OutlookClient
from azure.connectors.sdk import ConnectorException
from outlook_connection import connect

DELAYS = (5.0, 30.0, 90.0)
"""Seconds to wait before the second and later attempts."""


async def send_invoice(
    outlook: OutlookClient,
    customer: str,
    number: int,
    pdf: bytes,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Send an invoice to a customer. Raises the last error if no attempt succeeds."""
    mail = ClientSendHtmlMessage(
        to=customer,
        subject=f"Invoice {number}",
        body="<p>Please find your invoice attached.</p>",
        attachments=[ClientSendAttachment(name=f"invoice-{number}.pdf", content_bytes=b64encode(pdf).decode())],
    )
    for attempt, delay in enumerate((*DELAYS, None)):
        try:
            # After an error the mail may have been sent all the same: only the response was lost.
            if attempt == 0 or not await _was_sent(outlook, f"Invoice {number}"):
                await outlook.send_email_async(mail)
            return
        except (ConnectorException, aiohttp.ClientError, TimeoutError) as error:
            if delay is None or not _is_temporary(error):
                raise
        await sleep(delay)


def _is_temporary(error: Exception) -> bool:
    return not isinstance(error, ConnectorException) or error.status_code == 429 or error.status_code >= 500


async def _was_sent(outlook: OutlookClient, subject: str) -> bool:
    page = await outlook.get_emails_async(
        folder_path="SentItems", subject_filter=subject, fetch_only_unread="false", top="25"
    )
    # The filter also finds subjects that only contain the text.
    return any(mail["Subject"] == subject for mail in page["value"])


async def main(customer: str, number: str, file: str) -> None:
    async with connect() as outlook:
        await send_invoice(outlook, customer, int(number), Path(file).read_bytes())
    print(f"Sent invoice {number} to {customer}.")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
