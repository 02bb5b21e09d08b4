"""The settings of a server: `serve` flags, environment variables and the documentation's table derive from them."""

import os
from collections.abc import Mapping
from functools import cache, cached_property
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, Self

from outlook_emulator.frozen import Frozen
from outlook_emulator.options import DOMAIN, URL, Option, option, options_of

ENVIRONMENT_PREFIX = "OUTLOOK_EMULATOR_"
IDENTITY_PATH = "/_emulator/msi/token"
"""The path of the token endpoint."""
YesNo = Literal["no", "yes"]
_YEAR = 366 * 24 * 60 * 60
_MOST_REQUESTS = 1_000_000_000
_MOST_BYTES = 1 << 40
_USUAL_SEED = 4365


class CallbackHosts(NamedTuple):
    """Where callbacks may go: to the hosts with these names, `*` for any, and `here` to this machine as well."""

    names: frozenset[str] = frozenset()
    here: bool = True


ONLY_HERE = CallbackHosts()


class _ServerSettings(Frozen, kw_only=True):
    """Where and for whom the server listens, and what it starts with."""

    host: str = option("127.0.0.1", "address to listen on")
    port: int = option(4365, "port to listen on; 0 picks a free port", least=0, most=65535)
    tls: YesNo = option("no", "serve https, with a certificate of the emulator's own certificate authority (CA)")
    tls_names: str = option(
        "", "names and addresses for the certificate, besides those of this machine, separated by commas"
    )
    tls_ca_file: str = option("", "file to copy the certificate of the CA to, such as one in a shared volume")
    ca_folder: str = option(
        "", "folder of the CA, which is made at first use and lasts; empty: `.outlook-emulator` in the home folder"
    )
    cors_origins: str = option(
        "",
        "origins whose pages may call the connector from a browser, such as `http://localhost:5173`, separated by"
        " commas",
    )
    ready_file: str = option(
        "", "file for the line that says that the server is ready, removed at exit; the commands find the server by it"
    )
    data: str = option("", "folder with one SQLite file per sandbox; empty: keep everything in memory")
    seed: str = option("", "sample mailboxes to load at start, by name or folder, separated by commas")
    authorization: str = option(
        "any",
        "required credential: `any` Bearer or Key, `none`, or the exact text after the scheme; tokens of the token"
        " endpoint are valid as well",
    )
    identity_header: str = option(
        "local",
        "value of `X-IDENTITY-HEADER` that the token endpoint requires; empty: no token endpoint",
        secret=True,
    )
    allowed_hosts: str = option(
        "",
        "further host names that the server answers to while it listens on this machine"
        " only, separated by commas; `.NAME` stands for all names that end in it",
    )
    no_web: YesNo = option("no", "switch off the pages under `/_emulator/`; the admin API stays")
    admin_token: str = option(
        "", "bearer token that the admin API requires; mandatory when listening beyond this machine", secret=True
    )
    strict: YesNo = option(
        "no", "refuse requests with unknown members or query parameters; default: accept them with a warning"
    )
    unknown_connections: Literal["create", "refuse"] = option(
        "create", "response to an unknown connection id: `create` a mailbox, or `refuse` with 404"
    )
    connection_ids: Literal["any", "sandbox"] = option(
        "any",
        "form of connection ids: `any`, or `sandbox` for `SANDBOX.NAME`, by which a proxy finds the server of a"
        " sandbox; ids without a dot are those of the sandbox `default`",
    )
    domain: str = option("outlook.com", "domain of the addresses of new mailboxes", form=DOMAIN)
    random_seed: int | None = option(
        None,
        "seed of the random generator for ids (default: 4365). With a seed of your own, the keys of links in approval"
        " mails come from it too, so that a run can be repeated whole; whoever knows it can forge links",
        least=0,
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = option(
        "warning", "lowest level of the messages that `serve` logs to standard error"
    )
    log: Literal["auto", "requests", "none"] = option(
        "auto", "whether `serve` logs a line for each request to standard error; `auto`: if that is a terminal"
    )
    source: str = option("outlook-emulator.localhost", "host that error bodies name as their source")
    max_body_bytes: int = option(100 * 1024 * 1024, "largest request body", least=0)
    max_export_bytes: int = option(
        1024 * 1024 * 1024,
        "largest file of a whole sandbox, for export and import alike",
        least=0,
        most=_MOST_BYTES,
    )
    max_header_bytes: int = option(
        64 * 1024, "largest head of a request: its URL and its headers", least=1, most=_MOST_BYTES
    )
    max_connections: int = option(
        1000,
        "open connections of clients, at most half of the files that the system allows; 0: only that half",
        least=0,
        most=_MOST_REQUESTS,
    )
    read_timeout: int = option(
        30,
        "seconds that the server waits for the head of a request, and for each 16 KiB of its body; 0: no end",
        least=0,
        most=_YEAR,
    )


class Limits(Frozen, kw_only=True):
    """How much one connection may request. 0 switches a limit off.

    The period is a sliding window: a call counts until it is a whole period old.
    """

    max_calls: int = option(
        300, "requests per connection and period; 0: unlimited", least=0, most=_MOST_REQUESTS, limit="calls"
    )
    calls_period: int = option(
        60,
        "length of the period, in seconds of the sandbox's clock; it ends now and slides with the clock",
        least=1,
        most=_YEAR,
        limit="period",
    )
    refused_calls: Literal["ignore", "count"] = option(
        "ignore", "whether a call that a limit refuses uses up one of the calls in the period"
    )
    max_concurrent: int = option(
        30,
        "concurrent requests per connection; 0: unlimited",
        least=0,
        most=_MOST_REQUESTS,
        limit="concurrentRequests",
    )
    max_bytes_in_flight: int = option(
        300 * 1024 * 1024,
        "bytes of request and response bodies in transfer per connection; 0: unlimited",
        least=0,
        most=_MOST_BYTES,
        limit="bytesInFlight",
    )
    warn_at: int = option(
        90, "percentage of a limit from which responses carry a warning; 0: never", least=0, most=100, limit="warnAt"
    )


class _TrafficSettings(Limits, kw_only=True):
    """How a sandbox treats and records requests."""

    faults: str = option("", "file of fault rules to arm in the default sandbox at start")
    early_retries: Literal["refuse", "allow"] = option(
        "refuse",
        "whether a request that comes back before the Retry-After of an injected 429 is refused again; it has waited if"
        " either the sandbox's clock or the machine's says so",
    )
    change_feed_entries: int = option(
        100_000,
        "changes of items that a sandbox remembers for triggers; a trigger state from before them is refused",
        least=1,
        most=_MOST_REQUESTS,
    )
    journal_entries: int = option(
        2000, "exchanges and deliveries that a sandbox's journal keeps; 0: none", least=0, most=100_000
    )
    journal_bytes: int = option(
        64 * 1024 * 1024,
        "bytes that the journal of a sandbox keeps, headers and bodies together; 0: unlimited",
        least=0,
        most=_MOST_BYTES,
    )
    journal_body_bytes: int = option(
        64 * 1024, "bytes of each body that the journal keeps", least=0, most=100 * 1024 * 1024
    )


class MailboxSettings(Frozen, kw_only=True):
    """The limits of a mailbox, and behaviour of the mail service that differs between installations."""

    max_mail_bytes: int = option(
        50 * 1024 * 1024,
        "largest mail, attachments included; 0: unlimited",
        least=0,
        most=_MOST_BYTES,
        limit="mailBytes",
    )
    max_inline_image_bytes: int = option(
        1024 * 1024,
        "largest inline image, as base64 text; 0: unlimited",
        least=0,
        most=_MOST_BYTES,
        limit="inlineImageBytes",
    )
    max_top: int = option(1000, "largest page of mails", least=0)
    filter_window: int = option(250, "number of newest mails that address and subject filters look at", least=0)
    max_view_days: int = option(1825, "longest calendar view, in days", least=0)
    max_view_events: int = option(
        10_000,
        "events and occurrences that a calendar view looks at; 0: unlimited",
        least=0,
        most=_MOST_REQUESTS,
        limit="viewEvents",
    )
    max_options: int = option(
        100,
        "options of an approval mail or a mail with options; 0: unlimited",
        least=0,
        most=_MOST_REQUESTS,
        limit="options",
    )
    public_url: str = option(
        "", "base URL of links in mails, such as `https://mail.test`; empty: the caller's host", form=URL
    )
    callback_hosts: str = option(
        "",
        "hosts that callbacks may go to, separated by commas; `*`: any host. Those of a server that listens on this"
        " machine only may go to this machine as well; those of another one may not, unless it is named",
    )
    bodies: Literal["stored", "sent"] = option(
        "stored",
        "bodies that mails and events show: as the mail service has `stored` them, which is always HTML, or as `sent`",
    )
    deleted_mail: Literal["deleted-items", "gone"] = option(
        "deleted-items", "where a deleted mail goes: to `deleted-items` first, or `gone` at once"
    )
    event_update: Literal["reset", "merge"] = option(
        "reset", "members that the update of an event leaves out: `reset` to their defaults, or `merge` into the event"
    )
    accepted: Literal["recreate", "keep"] = option(
        "recreate", "what happens to a meeting that its attendee accepts: `recreate` it with a new id, or `keep` it"
    )
    declined: Literal["remove", "keep"] = option(
        "remove", "what happens to a meeting that its attendee declines: `remove` it from the calendar, or `keep` it"
    )
    own_response: Literal["organizer", "none"] = option(
        "organizer", "response in an event of one's own that invites nobody: `organizer` or `none`"
    )
    max_events: int = option(
        0, "events that a list without `$top` returns at most; 0: unlimited", least=0, most=_MOST_REQUESTS
    )
    max_contacts: int = option(
        0, "contacts that a list without `$top` returns at most; 0: unlimited", least=0, most=_MOST_REQUESTS
    )
    event_ids: Literal["new", "ews"] = option(
        "new", "ids of new events: `new`, or `ews` for the ids of the old mail service"
    )


class Settings(MailboxSettings, _TrafficSettings, _ServerSettings, kw_only=True):
    """The settings of a server. They live as long as its app. Sizes are in bytes."""

    callback_timeout: int = option(10, "longest duration of a callback, in seconds", least=0)
    validate_callbacks: YesNo = option(
        "no", "a subscriber must first echo a `validationToken` that is sent to its callback"
    )

    @cached_property
    def hosts_of_callbacks(self) -> CallbackHosts:
        """The hosts of `callback_hosts`. Whom other machines reach must not call services of this one for them."""
        return CallbackHosts(frozenset(host.lower() for host in listed(self.callback_hosts)), _is_here(self.host))

    @property
    def seed_of_ids(self) -> int:
        """The seed of the random generator."""
        return _USUAL_SEED if self.random_seed is None else self.random_seed

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings in `OUTLOOK_EMULATOR_…` variables. Raises ValueError, naming flag and variable."""
        values = {}
        for setting in options():
            if (text := environment.get(setting.variable)) is not None:
                values[setting.name] = setting.read(text)
        return cls(**values)


def _is_here(host: str) -> bool:
    """Whether a server that listens there can be reached from this machine alone."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def listed(text: str) -> list[str]:
    """The parts of a setting that are separated by commas."""
    return list(filter(None, map(str.strip, text.split(","))))


class Setting:
    """One setting with its flag and its environment variable."""

    def __init__(self, declared: Option) -> None:
        self.name = declared.name
        self.default: Any = declared.default
        self.help = declared.help
        self.choices = declared.choices
        self.most = declared.most
        self.flag = declared.flag
        self.variable = ENVIRONMENT_PREFIX + declared.name.upper()
        self._declared = declared

    @property
    def is_switch(self) -> bool:
        """Whether the flag alone means yes."""
        return self.choices == ("no", "yes")

    def read(self, text: str) -> Any:
        """The value in `text`. Raises ValueError that names the flag and the variable."""
        source = f"{self.flag} (or {self.variable})"
        value: Any = text
        if self._declared.type is int:
            try:
                value = int(text)
            except ValueError:
                raise ValueError(f"{source} must be a number, not '{text}'") from None
        if problem := self._declared.problem(value):
            raise ValueError(f"{source} {problem}")
        return value


@cache
def options() -> tuple[Setting, ...]:
    """Every setting, in the order of the documentation's table."""
    return tuple(map(Setting, options_of(Settings)))


@cache
def limits() -> tuple[Option, ...]:
    """The settings that the admin API changes for a sandbox while the server runs."""
    return tuple(declared for declared in options_of(Settings) if declared.limit)
