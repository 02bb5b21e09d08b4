"""Programs that use Microsoft's libraries as in production, with nothing set but what `exec` exports.

The emulator demands a credential that the programs do not know, so that only a token of its token endpoint opens it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.commands import run
from tests.node import node_project

pytestmark = pytest.mark.slow

TLS = pytest.mark.parametrize("options", [("--tls",), ()], ids=["https", "http"])
SDK = """
import asyncio, os
from azure.connectors.outlook import ClientSendHtmlMessage, OutlookClient
from azure.connectors.sdk.authentication import AzureIdentityTokenProvider
from azure.identity.aio import DefaultAzureCredential

async def main():
    provider = AzureIdentityTokenProvider(DefaultAzureCredential())
    async with OutlookClient(os.environ["OUTLOOK_CONNECTION_URL"], provider) as outlook:
        mail = ClientSendHtmlMessage(to="me@outlook.com", subject="Hello", body="<p>Hello</p>")
        await outlook.send_email_async(mail)
        page = await outlook.get_emails_async()
        print([mail["Subject"] for mail in page["value"]])

asyncio.run(main())
"""
REQUESTS = """
import os, requests
from azure.identity import DefaultAzureCredential

token = DefaultAzureCredential().get_token("https://apihub.azure.com/.default").token
url = os.environ["OUTLOOK_CONNECTION_URL"] + "/v2/Mail"
print(requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).json())
"""
NODE = """
import { DefaultAzureCredential } from "@azure/identity";

const { token } = await new DefaultAzureCredential().getToken("https://apihub.azure.com/.default");
const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
const mails = `${process.env.OUTLOOK_CONNECTION_URL}/v2/Mail`;
const body = JSON.stringify({ To: "me@outlook.com", Subject: "Hello", Body: "Hello" });
await fetch(mails, { method: "POST", headers, body });
console.log((await (await fetch(mails, { headers })).json()).value.map((mail) => mail.Subject));
"""


def execute(*command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command with an emulator that demands a credential, and variables that would lead elsewhere."""
    misleading = {"AZURE_TOKEN_CREDENTIALS": "dev", "MSI_ENDPOINT": "http://127.0.0.1:1", "IMDS_ENDPOINT": "http://x"}
    return run("exec", *options, "--authorization", "unknown", "--", *command, **misleading)


@TLS
def test_python_sdk(options: tuple[str, ...]) -> None:
    """Microsoft's SDK sends and lists mails with a token of DefaultAzureCredential."""
    done = execute(sys.executable, "-c", SDK, options=options)

    assert ("['Hello']\n", 0) == (done.stdout, done.returncode), done.stderr


@TLS
def test_python_requests(options: tuple[str, ...]) -> None:
    """The synchronous DefaultAzureCredential and `requests` work."""
    done = execute(sys.executable, "-c", REQUESTS, options=options)

    assert ("{'value': []}\n", 0) == (done.stdout, done.returncode), done.stderr


@TLS
def test_node(options: tuple[str, ...]) -> None:
    """DefaultAzureCredential of Node and its `fetch` work."""
    folder = node_project("@azure/identity@^4")
    (folder / "main.mjs").write_text(NODE)
    done = execute("node", str(folder / "main.mjs"), options=options)

    assert ("[ 'Hello' ]\n", 0) == (done.stdout, done.returncode), done.stderr


def test_another_audience() -> None:
    """A token for another service does not open the connector."""
    done = execute(sys.executable, "-c", REQUESTS.replace("apihub.azure.com", "vault.azure.net"))

    assert "The access token has the audience 'https://vault.azure.net'" in done.stdout, done.stderr


def test_curl() -> None:
    """curl trusts the emulator, and still the hosts that it trusted before."""
    curl = """curl -sS -o /dev/null -w '%{http_code}\\n' "$OUTLOOK_EMULATOR_URL/readyz" """
    done = run("exec", "--tls", "--", "sh", "-c", f"command -v curl >/dev/null || exit 77; {curl}")
    if done.returncode == 77:
        pytest.skip("curl is not installed")

    assert ("200\n", 0) == (done.stdout, done.returncode), done.stderr
