"""Calls operations through Microsoft's own client, over the transport of a contract run.

Written for azure-connectors 0.5, whose HTTP client keeps its aiohttp session in `_session`.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Coroutine, Mapping
from functools import cache
from typing import Any

import httpx
from azure.connectors.outlook import OutlookClient
from azure.connectors.sdk import ConnectionStringTokenProvider, ConnectorClientOptions, ConnectorException

METHODS: Mapping[str, str] = {
    "GetEmail": "get_email_async",
    "DeleteEmail": "delete_email_async",
    "Move": "move_async",
    "Flag": "flag_async",
    "MarkAsRead": "mark_as_read_async",
    "GetAttachment": "get_attachment_async",
    "SendMailWithOptions": "send_mail_with_options_async",
    "SendApprovalMail": "send_approval_mail_async",
    "CalendarGetTables": "calendar_get_tables_async",
    "CalendarDeleteItem": "calendar_delete_item_async",
    "ContactGetTables": "contact_get_tables_async",
    "ContactGetItems": "contact_get_items_async",
    "ContactPostItem": "contact_post_item_async",
    "ContactGetItem": "contact_get_item_async",
    "ContactDeleteItem": "contact_delete_item_async",
    "ContactPatchItem": "contact_patch_item_async",
    "RespondToEvent": "respond_to_event_async",
    "ForwardEmail": "forward_email_async",
    "V2CalendarGetItem": "calendar_get_item_async",
    "V3CalendarGetItems": "calendar_get_items_async",
    "CalendarGetOnChangedItemsV2": "calendar_get_on_changed_items_async",
    "CalendarGetOnNewItemsV2": "calendar_get_on_new_items_async",
    "CalendarGetOnUpdatedItemsV2": "calendar_get_on_updated_items_async",
    "V3CalendarPatchItem": "calendar_patch_item_async",
    "V3CalendarPostItem": "calendar_post_item_async",
    "GetEmailsV2": "get_emails_async",
    "GetEventsCalendarViewV2": "get_events_calendar_view_async",
    "OnFlaggedEmailV2": "on_flagged_email_async",
    "OnNewEmailV2": "on_new_email_async",
    "OnNewMentionMeEmailV2": "on_new_mention_me_email_async",
    "OnUpcomingEventsV2": "on_upcoming_events_async",
    "ReplyToV3": "reply_to_async",
    "SendEmailV2": "send_email_async",
}
"""The method of Microsoft's client for each operation that it covers."""


class MicrosoftClient:
    """Microsoft's client of one connection, called without `await`."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        # One attempt: the transport below repeats what may be repeated.
        options = ConnectorClientOptions(max_retry_attempts=1)
        self._client = OutlookClient(url, ConnectionStringTokenProvider("set-by-the-transport"), options)
        self._client.http_client._session = _Session(http)  # type: ignore[assignment]

    def covers(self, operation: str, parameters: Mapping[str, Any], body: Any = None) -> bool:
        """Whether the client has a method for an operation that takes all these parameters, and sends this body.

        It leaves out members that are null.
        """
        if operation not in METHODS or _holds_null(body):
            return False
        return all(_keyword(name) in _keywords(operation) for name in parameters)

    def call(self, operation: str, parameters: Mapping[str, Any], body: Any = None) -> None:
        """Call an operation. A refusal is not an error: the transport records it. Raises httpx.TransportError."""
        keywords = {_keyword(name): value for name, value in parameters.items()}
        if body is not None:
            keywords["input"] = body
        method = getattr(self._client, METHODS[operation])
        for name in _keywords(operation) - keywords.keys():
            keywords[name] = None
        try:
            _run(method(**keywords))
        except (ConnectorException, UnicodeDecodeError):
            # The client decodes attachments as text; their bytes are in the recorded exchange.
            return


def _run(coroutine: Coroutine[Any, Any, object]) -> None:
    # asyncio.run would take Ctrl+C for itself, and lose it since nothing in here ever waits.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(coroutine)
    finally:
        loop.close()


def _holds_null(value: Any) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(part is None or _holds_null(part) for part in parts)


@cache
def _keywords(operation: str) -> frozenset[str]:
    parameters = inspect.signature(getattr(OutlookClient, METHODS[operation])).parameters
    return frozenset(parameters) - {"self"}


def _keyword(name: str) -> str:
    """The client's keyword for a parameter: `$filter` is `filter`, `folderPath` is `folder_path`."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.lstrip("$")).lower()
    return "from_" if plain == "from" else plain


class _Session:
    """The part of an aiohttp session that Microsoft's client uses, over an `httpx.Client`."""

    closed = False

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: str | bytes | None = None
    ) -> _Request:
        return _Request(self._http, method, url, dict(headers or {}), data)

    async def close(self) -> None:
        self.closed = True


class _Request:
    def __init__(
        self, http: httpx.Client, method: str, url: str, headers: dict[str, str], data: str | bytes | None
    ) -> None:
        self._http = http
        self._request = (method, url, headers, data)

    async def __aenter__(self) -> _Response:
        import yarl

        method, url, headers, data = self._request
        # aiohttp normalizes URLs with yarl, which changes how some are escaped.
        return _Response(self._http.request(method, str(yarl.URL(url)), headers=headers, content=data))

    async def __aexit__(self, *error: object) -> None:
        pass


class _Response:
    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._response = response

    async def read(self) -> bytes:
        return self._response.content

    async def text(self) -> str:
        return self._response.content.decode("utf-8")
