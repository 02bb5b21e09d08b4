"""Asks by mail whether to pay an invoice, and receives the answer over HTTP."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from azure.connectors.outlook import ApprovalEmailSubscription, ApprovalMessage, OutlookClient

Decide = Callable[[int, str], None]
"""What is called with the number of an invoice and the option that was chosen."""


async def ask(outlook: OutlookClient, approver: str, number: int, answer_url: str) -> None:
    """Send the question. The answer comes to `answer_url`, the address of an `answer_server`, minutes or days later."""
    message = ApprovalMessage(to=approver, subject=f"Pay invoice {number}?", options="Pay, Refuse")
    await outlook.send_approval_mail_async(
        ApprovalEmailSubscription(notification_url=f"{answer_url}?invoice={number}", message=message)
    )


def answer_server(port: int, decide: Decide) -> ThreadingHTTPServer:
    """A server on this machine that passes answers on to `decide`; run its `serve_forever`."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (number,) = parse_qs(urlsplit(self.path).query)["invoice"]
            decide(int(number), body["SelectedOption"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Answers)
