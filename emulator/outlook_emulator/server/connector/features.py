"""What surrounds a request without being part of it: the journal, limits, faults and webhooks.

The connector calls these in a fixed order and knows nothing else about them; `app.py` hands in the real ones.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.exchange import Exchange, Response
from outlook_emulator.traffic.journal import Outcome


class JournalFeature(Protocol):
    """Records requests and their responses."""

    def open(self, exchange: Exchange) -> None:
        """Start an entry for a request."""

    def needs_body(self, exchange: Exchange, response: Response) -> bool:
        """Whether the entry of a request with that response needs the body of the request."""

    async def read_body(self, exchange: Exchange) -> None:
        """Read the body of a request, if it has arrived."""

    def note(self, exchange: Exchange, response: Response) -> None:
        """Record the response before it is sent."""

    def close(self, exchange: Exchange, outcome: Outcome) -> None:
        """End the entry; `outcome` says how the response left."""


class LimitsFeature(Protocol):
    """Throttles connections."""

    def enter(self, exchange: Exchange) -> None:
        """Count a request. Raises TooManyRequests."""

    def leave(self, exchange: Exchange, response: Response) -> Response:
        """Count the response; returns it, with a warning where a limit is near."""

    def close(self, exchange: Exchange) -> None:
        """Count the request as finished."""


class FaultsFeature(Protocol):
    """Injects faults."""

    def has_rules(self, exchange: Exchange) -> bool:
        """Whether there is a rule that may act on a request; most sandboxes have none."""

    async def before(self, exchange: Exchange) -> Response | None:
        """Delay a request or answer it in the operation's place; None to run the operation."""

    async def after(self, exchange: Exchange, response: Response) -> Response:
        """Delay, change or replace the operation's response."""

    def close(self, exchange: Exchange) -> None:
        """Let go of what still waits for this request."""


class WebhooksFeature(Protocol):
    """Calls subscribers back."""

    async def validate(self, exchange: Exchange) -> None:
        """Ask a new subscriber for the handshake, if that is configured. Raises InvalidRequest."""

    def wake(self, sandbox: Sandbox) -> None:
        """Deliver soon what a request caused."""


class Features(NamedTuple):
    """The features around the connector, in the order in which a request meets them."""

    journal: JournalFeature
    limits: LimitsFeature
    faults: FaultsFeature
    webhooks: WebhooksFeature
