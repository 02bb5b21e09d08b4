"""The options of a contract run, declared once: command-line flags, environment variables and the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outlook_emulator.options import URL, option

ENVIRONMENT_PREFIX = "OUTLOOK_CONTRACT_"


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Which target a run checks, and how."""

    target: str = option(
        "emulator",
        "`emulator`: a new one in this process; the URL of a running emulator; or `real`: the connection in "
        f"`{ENVIRONMENT_PREFIX}CONNECTION`",
        metavar="TARGET",
    )
    connection: str = option(
        "",
        "runtime URL of a connection, such as `https://HOST/apim/outlook/ID`, for `--target real`",
        metavar="URL",
        form=URL,
    )
    key: str = option("", "connection key, sent as `Authorization: Key …`", secret=True, metavar="KEY")
    bearer: str = option("", "bearer token of the connection", secret=True, metavar="TOKEN")
    azure_identity: bool = option(False, "take the bearer token from azure-identity's DefaultAzureCredential")
    address: str = option(
        "", "mail address of the connection's mailbox; checks that send mail need it", metavar="ADDRESS"
    )
    partner: str = option("", "runtime URL of a second mailbox's connection, for invitations", metavar="URL", form=URL)
    partner_key: str = option("", "connection key of the second mailbox", secret=True, metavar="KEY")
    partner_bearer: str = option("", "bearer token of the second mailbox", secret=True, metavar="TOKEN")
    partner_address: str = option("", "mail address of the second mailbox", metavar="ADDRESS")
    callback_url: str = option(
        "",
        "URL that subscriptions and approval mails may name as theirs; an emulator needs none. Nothing has to listen "
        "there, and without it checks of subscriptions are left out",
        metavar="URL",
        form=URL,
    )
    callback_port: int = option(
        0,
        "port of this machine to which `--callback-url` leads, such as that of a tunnel: checks of callbacks listen "
        "there; 0: they are left out",
        least=0,
        most=65535,
        metavar="PORT",
    )
    admin_token: str = option("", "admin token of a running emulator", secret=True, metavar="TOKEN")
    ca_file: str = option("", "PEM file of the CA to trust for https", metavar="FILE")
    definition: str = option(
        "", "Swagger document that was exported from the connection, to be compared", metavar="FILE"
    )
    client: Literal["microsoft", "http"] = option(
        "microsoft", "`microsoft`: call through Microsoft's own client where it has a method; `http`: never"
    )
    examples: int = option(
        10, "generated cases of each check that generates its requests", least=1, most=100_000, metavar="N"
    )
    read_only: bool = option(False, "change nothing: send only requests that read")
    pace: int = option(
        -1,
        "most calls a minute; 0: no limit; -1: 90 for a connection, no limit for an emulator",
        least=-1,
        most=100_000,
        metavar="N",
    )
    patience: int = option(
        60, "longest wait for a mail or a change to appear, in seconds", least=0, most=3600, metavar="SECONDS"
    )
