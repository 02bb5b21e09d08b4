"""An emulator in another process that looks like the real service: TLS, a demanded token, and two mailboxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from outlook_contract.options import ENVIRONMENT_PREFIX
from outlook_emulator.testing import Connection, Sandbox, Server
from tests.cli import commands

TOKEN = "only-this-token"
ADMIN_TOKEN = "admin-token"


class Service(NamedTuple):
    """The running emulator, seen by its admin API, and the variables that a contract run needs."""

    sandbox: Sandbox
    mailbox: Connection
    partner: Connection
    ca_file: Path

    @property
    def variables(self) -> dict[str, str]:
        """What a user would set for two connections to the real service."""
        values = {
            "CONNECTION": self.mailbox.url,
            "KEY": TOKEN,
            "ADDRESS": self.mailbox.address,
            "PARTNER": self.partner.url,
            "PARTNER_BEARER": TOKEN,
            "PARTNER_ADDRESS": self.partner.address,
            "CA_FILE": str(self.ca_file),
            "PACE": "0",
            "PATIENCE": "1",
        }
        return {ENVIRONMENT_PREFIX + name: value for name, value in values.items()}

    def export(self, file: Path) -> bytes:
        """The whole state of the mailboxes."""
        variables = {"URL": self.sandbox.server.url, "ADMIN_TOKEN": ADMIN_TOKEN, "CA_FILE": str(self.ca_file)}
        environment = {f"OUTLOOK_EMULATOR_{name}": value for name, value in variables.items()}
        done = commands.run("sandbox", "export", str(file), "--sandbox", self.sandbox.name, **environment)
        assert (0, "") == (done.returncode, done.stderr)
        return file.read_bytes()

    def items(self) -> list[str]:
        """What the mailboxes hold: the names of mails, events and contacts."""
        names = []
        for connection in (self.mailbox, self.partner):
            for folder in ("Inbox", "JunkEmail", "SentItems", "Drafts", "Archive", "DeletedItems"):
                query = {"folderPath": folder, "fetchOnlyUnread": "false", "top": "1000"}
                mails = connection.http.get("/v2/Mail", params=query).json()["value"]
                names += [f"{folder}: {mail['Subject']}" for mail in mails]
            events = connection.http.get("/datasets/calendars/v3/tables/Calendar/items").json()["value"]
            names += [f"event: {event.get('Subject', event.get('subject'))}" for event in events]
            contacts = connection.http.get("/datasets/contacts/tables/Contacts/items").json()["value"]
            names += [f"contact: {contact['GivenName']}" for contact in contacts]
        return names


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """A service for as long as the block lasts."""
    ca_file = folder / "ca.pem"
    options = ("--port", "0", "--tls", "--tls-ca-file", str(ca_file), "--authorization", TOKEN)
    limits = ("--admin-token", ADMIN_TOKEN, "--max-calls", "100000")
    with commands.serving(*options, *limits) as (_, line):
        match = re.search(r"url=(https://\S+)", line)
        assert match
        with Server(match[1], token=ADMIN_TOKEN, ca_file=str(ca_file), credential=TOKEN) as server:
            sandbox = server.sandbox("service")
            own = sandbox.connect("own", display_name="First Owner")
            yield Service(sandbox, own, sandbox.connect("second", display_name="Second Owner"), ca_file)
