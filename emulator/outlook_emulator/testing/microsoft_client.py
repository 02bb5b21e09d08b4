"""Microsoft's own client of the connector, pointed at an emulator.

Written for azure-connectors 0.5, whose HTTP client keeps its session in `_session` and creates one if that is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.connectors.outlook import OutlookClient


def outlook_client(
    url: str, credential: str, options: Mapping[str, Any], session: Callable[[float], Any]
) -> OutlookClient:
    """A client for a runtime URL; `session` takes a timeout in seconds and returns an aiohttp session, or None.

    Raises ModuleNotFoundError without azure-connectors, TypeError for an unknown option, and RuntimeError if this
    version of azure-connectors cannot use the session.
    """
    try:
        from azure.connectors.outlook import OutlookClient
        from azure.connectors.sdk import ConnectionStringTokenProvider, ConnectorClientOptions
    except ModuleNotFoundError as error:
        command = "pip install azure-connectors aiohttp"
        raise ModuleNotFoundError(f"client() returns Microsoft's own client, which needs: {command}") from error
    client_options = ConnectorClientOptions(**options)
    client = OutlookClient(url, ConnectionStringTokenProvider(credential), client_options)
    own_session = session(client_options.timeout_seconds)
    if own_session is not None:
        http: Any = client.http_client
        # A private attribute, which another version may not have.
        if not hasattr(http, "_session"):
            raise RuntimeError("This azure-connectors accepts no session of ours: use a server with a plain http URL")
        http._session = own_session
    return client
