"""Opens the connection that `OUTLOOK_CONNECTION_URL` names: Azure's in production, the emulator's in development."""

import os

from azure.connectors.outlook import OutlookClient
from azure.connectors.sdk import ConnectorClientOptions
from azure.connectors.sdk.authentication import AzureIdentityTokenProvider
from azure.identity.aio import DefaultAzureCredential


def connect() -> OutlookClient:
    """A client for the connection. Use it in `async with`, which closes it."""
    # The SDK's own retries would send a mail again whose response got lost.
    options = ConnectorClientOptions(max_retry_attempts=1)
    return OutlookClient(
        os.environ["OUTLOOK_CONNECTION_URL"], AzureIdentityTokenProvider(DefaultAzureCredential()), options
    )
