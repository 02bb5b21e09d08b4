"""Watches the inbox for orders, and handles each unread one once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from azure.connectors.outlook import OutlookClient
from azure.connectors.sdk import ConnectorException
from outlook_connection import connect

Handle = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger("worker")


async def handle_orders(outlook: OutlookClient, handle: Handle) -> int:
    """Handle the unread orders, oldest first; returns how many. An order that fails stays unread for the next time."""
    page = await outlook.get_emails_async(fetch_only_unread="true", subject_filter="Order", top="25")
    handled = 0
    for mail in reversed(page["value"]):
        try:
            await handle(mail)
        except Exception:
            log.exception("could not handle %r", mail["Subject"])
            continue
        await outlook.mark_as_read_async(mail["Id"])
        handled += 1
    return handled


async def work(outlook: OutlookClient, handle: Handle, interval: float = 30) -> None:
    """Look for orders every `interval` seconds, until cancelled. Errors of the connection do not end it."""
    while True:
        try:
            await handle_orders(outlook, handle)
        except (ConnectorException, aiohttp.ClientError, TimeoutError) as error:
            log.warning("trying again in %g s: %s", interval, error)
        await asyncio.sleep(interval)


async def main() -> None:
    async def show(mail: dict[str, Any]) -> None:
        print(f"{mail['From']}: {mail['Subject']}", flush=True)

    async with connect() as outlook:
        await work(outlook, show)


if __name__ == "__main__":
    asyncio.run(main())
