"""One table of settings: flags, environment variables and the README's table all come from it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple

ENVIRONMENT_PREFIX = "OUTLOOK_EMULATOR_"


def _setting(default: Any, help: str, choices: tuple[str, ...] = (), secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"help": help, "choices": choices})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server behaves; lives as long as its app. Sizes are in bytes."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(4365, "port to listen on; 0 picks a free one")
    tls: str = _setting("no", "whether to serve https, with a certificate made at start", ("no", "yes"))
    tls_ca_file: str = _setting(
        "", "file to write the certificate to that clients have to trust; empty: a temporary one, removed at stop"
    )
    data: str = _setting("", "folder for one SQLite file a sandbox; empty keeps everything in memory")
    seed: str = _setting("", "sample mailboxes to load at start, by name or folder, split by commas")
    authorization: str = _setting(
        "any", "credential to demand: `any` Bearer or Key, `none`, or the exact text after the scheme"
    )
    admin_token: str = _setting(
        "",
        "bearer token that the admin API demands; must be set to listen beyond this machine",
        secret=True,
    )
    unknown_connections: str = _setting(
        "create", "what a connection id not seen before leads to: a new mailbox, or 404", ("create", "refuse")
    )
    domain: str = _setting("outlook.com", "domain of the addresses that new mailboxes are given")
    random_seed: int = _setting(4365, "seed of the generator behind ids, so that a run repeats")
    source: str = _setting("outlook-emulator.localhost", "host that error bodies name as their source")
    max_calls: int = _setting(300, "most calls of a connection in one period; 0 for any number")
    calls_period: int = _setting(60, "length of that period, in seconds of the sandbox's clock")
    max_concurrent: int = _setting(30, "most requests of a connection at a time; 0 for any number")
    max_bytes_in_flight: int = _setting(
        300 * 1024 * 1024, "most bytes of requests and answers that a connection transfers at a time; 0 for any number"
    )
    warn_at: int = _setting(90, "percent of these limits from which on answers carry a warning; 0 for never")
    max_mail_bytes: int = _setting(50 * 1024 * 1024, "largest mail content, attachments included; 0 for any")
    max_inline_image_bytes: int = _setting(1024 * 1024, "largest inline image, as base64 text; 0 for any")
    max_body_bytes: int = _setting(100 * 1024 * 1024, "largest request body that is read")
    max_top: int = _setting(1000, "largest page of mails")
    filter_window: int = _setting(250, "how many of the newest mails address and subject filters look at")
    max_view_days: int = _setting(1825, "longest calendar view, in days")
    max_options: int = _setting(100, "most options of an approval mail or a mail with options; 0 for any number")
    faults: str = _setting("", "file of fault rules to begin with, in the default sandbox")
    journal_entries: int = _setting(2000, "how many exchanges and deliveries a sandbox remembers; 0 for none")
    journal_body_bytes: int = _setting(64 * 1024, "how much of each body the journal keeps")
    public_url: str = _setting("", "where links in mails lead, such as `https://mail.test`; empty: the caller's host")
    callback_hosts: str = _setting(
        "", "hosts, split by commas, that callbacks may go to besides this machine; `*` for any"
    )
    callback_timeout: int = _setting(10, "how long a callback may take, in seconds")
    validate_callbacks: str = _setting(
        "no", "whether a subscriber must first echo a `validationToken` sent to its callback", ("no", "yes")
    )
    declined: str = _setting("keep", "what becomes of a meeting its attendee declines", ("keep", "remove"))
    event_ids: str = _setting(
        "new", "ids that events get: `new` ones, or `ews` ones as the old mail service made them", ("new", "ews")
    )

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The hosts of `callback_hosts`."""
        return frozenset(filter(None, (one.strip().lower() for one in self.callback_hosts.split(","))))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings that `OUTLOOK_EMULATOR_…` variables ask for. Raises ValueError, naming the variable."""
        given = {}
        for option in options():
            if (text := environment.get(option.variable)) is not None:
                given[option.name] = option.read(text)
        return cls(**given)


class Option(NamedTuple):
    """One setting as the outside names it."""

    name: str
    default: Any
    help: str
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether its flag may stand alone, and then means yes."""
        return self.choices == ("no", "yes")

    def read(self, text: str) -> Any:
        """The value that `text` stands for. Raises ValueError."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{self.variable} must be one of {', '.join(self.choices)}, not '{text}'")
        if not isinstance(self.default, int):
            return text
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"{self.variable} must be a number, not '{text}'") from None
        if number < 0:
            raise ValueError(f"{self.variable} must not be negative, but is {number}")
        return number


def options() -> Iterator[Option]:
    """Every setting, in the order of the table."""
    for one in fields(Settings):
        assert one.default is not MISSING
        yield Option(one.name, one.default, one.metadata["help"], one.metadata["choices"])
