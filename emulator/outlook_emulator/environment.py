"""The environment variables by which a program reaches an emulator instead of Azure, without a change in its code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from outlook_emulator.client import CA_FILE, URL
from outlook_emulator.settings import IDENTITY_PATH

CONNECTION_URL = "OUTLOOK_CONNECTION_URL"
"""The runtime URL of a connection, by the name that Microsoft's samples use."""
_NODE = "NODE_EXTRA_CA_CERTS"
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where Python, .NET, Go, curl and others look for the certificates to trust, in place of the system's."""
_OTHER_IDENTITIES = ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET")
"""Variables that would lead Azure's libraries to another token endpoint."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def changes(
    url: str, connection_url: str, identity_header: str, ca_file: str | None = None, folder: Path | None = None
) -> dict[str, str | None]:
    """The variables to set, and those to remove, which are None, for a program that is to use the emulator at `url`.

    Without an identity header, it gets no credential. For https, `ca_file` is the certificate to trust, and a file with
    the certificates of the system is written to `folder`. Raises OSError if that is impossible.
    """
    variables: dict[str, str | None] = {URL: url, CONNECTION_URL: connection_url}
    if identity_header:
        variables |= {
            "IDENTITY_ENDPOINT": url + IDENTITY_PATH,
            "IDENTITY_HEADER": identity_header,
            # Otherwise DefaultAzureCredential tries others first, which may be valid and need a network.
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            **dict.fromkeys(_OTHER_IDENTITIES),
        }
    if ca_file is not None and folder is not None:
        variables |= _trust(ca_file, folder)
    return variables | dict(_without_proxy(url, os.environ))


def _trust(ca_file: str, folder: Path) -> dict[str, str]:
    """What makes a program trust the emulator, and still whatever it trusts already."""
    from outlook_emulator.certificates import write_bundle

    bundle = folder / "trusted.pem"
    write_bundle(bundle, ca_file, [os.environ.get(name, "") for name in (*_BUNDLES, _NODE)])
    # Node adds the file to its own certificates, and reads a short one faster.
    node = str(bundle) if os.environ.get(_NODE) else ca_file
    return {CA_FILE: ca_file, _NODE: node, **dict.fromkeys(_BUNDLES, str(bundle))}


def _without_proxy(url: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that keep requests to the emulator from a proxy, which could not reach this machine's loopback."""
    if not any(name.lower() in _PROXIES for name in environment):
        return
    host = urlsplit(url).hostname or ""
    for name, other in (("NO_PROXY", "no_proxy"), ("no_proxy", "NO_PROXY")):
        # Programs that read one name would lose what only the other one lists.
        yield name, ",".join(filter(None, (environment.get(name) or environment.get(other), host)))
