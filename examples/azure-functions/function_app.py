"""A function that is called for each new mail, and thanks the sender."""

import json
import os
from typing import Any

import azure.functions as func
from azure.connectors.outlook import ClientSendHtmlMessage, OutlookClient
from azure.connectors.sdk.authentication import AzureIdentityTokenProvider
from azure.connectors.sdk.trigger_payload import TriggerCallbackPayload
from azure.identity.aio import DefaultAzureCredential

app = func.FunctionApp()


@app.function_name("OnNewEmail")
@app.connector_trigger(arg_name="payload")
async def on_new_email(payload: str) -> None:
    """The connector namespace posts here; `payload` has one mail, or several without splitOn."""
    parsed = TriggerCallbackPayload.from_dict(json.loads(payload))
    mails: list[dict[str, Any]] = (parsed.body and parsed.body.value) or []
    provider = AzureIdentityTokenProvider(DefaultAzureCredential())
    async with OutlookClient(os.environ["OUTLOOK_CONNECTION_URL"], provider) as outlook:
        for mail in mails:
            await acknowledge(outlook, mail)


async def acknowledge(outlook: OutlookClient, mail: dict[str, Any]) -> None:
    """Answer one mail."""
    subject = f"Received: {mail['Subject']}"
    await outlook.send_email_async(
        ClientSendHtmlMessage(to=mail["From"], subject=subject, body="<p>Thank you. We will read it soon.</p>")
    )
