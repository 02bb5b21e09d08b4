"""One probe while it runs: the mailboxes that it may use, and the answers that it records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import Mailbox, Unexpected
from outlook_contract.probes.normal import Normalizer
from outlook_contract.probes.probe import Probe

if TYPE_CHECKING:
    from outlook_contract.plugin import ContractRun
    from outlook_contract.receiver import Receiver

_LONGEST_FAILURE = 300
_LONGEST_TEXT = 1000
"""Characters of a response that is not JSON."""


class NotAsked(Exception):
    """A probe lacks something that only it knows of. The text says what."""


class Answer(NamedTuple):
    """An answer in its comparable form: to which part of the question, and which deviations it settles."""

    about: str
    answer: Any
    deviations: tuple[str, ...]


class ProbeRun:
    """A probe on a target.

    `receiver` receives callbacks where the target can reach this process. `heavy` allows many requests and long waits.
    """

    def __init__(
        self,
        probe: Probe,
        contract: ContractRun,
        normalizer: Normalizer,
        *,
        receiver: Receiver | None = None,
        heavy: bool = False,
    ) -> None:
        self.probe = probe
        self.mailbox = contract.mailboxes["mailbox"]
        self.partner = contract.mailboxes.get("partner", self.mailbox)
        self.receiver = receiver
        self.heavy = heavy
        self.callback_url = receiver.url if receiver else contract.callback_url
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self.sandbox = contract.target.sandbox
        self.owner = normalizer.owner
        """The name of the mailbox's owner, empty if unknown."""
        self.now = contract.now
        self._patience = contract.options.patience
        self._normalizer = normalizer

    # --- Record ---

    def record(self, about: str, answer: Any, *deviations: str) -> None:
        """Record the answer to a part of the question, and which deviations it settles. Raises ValueError."""
        if unknown := set(deviations) - set(self.probe.settles):
            raise ValueError(f"{self.probe.id} does not declare that it settles {', '.join(sorted(unknown))}.")
        if any(known.about == about for known in self.answers):
            raise ValueError(f"{self.probe.id} has answered '{about}' before.")
        self.answers.append(Answer(about, self._normalizer.value(answer), deviations))

    def respond(self, about: str, exchange: Exchange, *deviations: str, headers: tuple[str, ...] = ()) -> None:
        """Record how the target responded: the status, the body of a refusal, and some headers."""
        self.record(about, self.response(exchange, *headers), *deviations)

    def response(self, exchange: Exchange, *headers: str) -> dict[str, Any]:
        """The status of a response, the body of a refusal, and some headers."""
        answer: dict[str, Any] = {"status": exchange.status}
        for name in headers:
            answer[name] = exchange.headers.get(name, "(no header)")
        if not exchange.is_success:
            answer["body"] = _without_source(exchange)
        return answer

    def attempt(self, part: Callable[..., object], *arguments: Any) -> None:
        """Ask a part of the question; if that goes wrong, the other parts can still be asked."""
        try:
            part(self, *arguments)
        except NotAsked:
            raise
        # Whatever the target does must not take other answers away.
        except Exception as error:
            self.failures.append(self._normalizer.text(f"{type(error).__name__}: {error}")[:_LONGEST_FAILURE])

    # --- Names, and what takes time ---

    def name(self, text: str) -> str:
        """A text for a subject or a name that no other probe and no other run uses."""
        return self.mailbox.name(self.text(text))

    def text(self, text: str) -> str:
        """The same without the marker of the run."""
        return f"{self.probe.id} {text}"

    def mine(self, subject: str | None) -> str | None:
        """The text of a name of this probe, None for another name."""
        start, end = f"{self.probe.id} ", f" {self.mailbox.marker}"
        if subject and subject.startswith(start) and subject.endswith(end):
            return subject[len(start) : -len(end)]
        return None

    def eventually(self, look: Callable[[], Any]) -> Any:
        """What a look returns once it is something, or None after the patience of the run."""
        try:
            return self.mailbox.until("An answer", look)
        except Unexpected:
            return None

    def settle(self, seconds: float) -> None:
        """Give the target time, such as for its index; an emulator needs none."""
        if self.sandbox is None:
            time.sleep(min(seconds, self._patience))

    def wait(self, seconds: float) -> None:
        """Let time pass. An emulator's clock is moved."""
        if self.sandbox is None:
            time.sleep(seconds)
        else:
            self.sandbox.clock.advance(seconds)

    # --- Mails ---

    def to_self(self, text: str, **members: Any) -> Any:
        """Send a mail to the own mailbox, and return it as Get emails (V2) lists it once it is there."""
        return self.mailbox.to_self(self.text(text), **members)

    def sent(self, text: str, **members: Any) -> Exchange:
        """Send a mail to the own mailbox."""
        message = {"To": self.mailbox.address, "Subject": self.name(text), "Body": "<p>Hello</p>", **members}
        return self.mailbox.call("SendEmailV2", message)

    def look_for(self, text: str, folder: str = "Inbox", *, mailbox: Mailbox | None = None, **query: Any) -> Any:
        """The mail of this probe once it is in a folder, None if it does not come."""
        box = mailbox or self.mailbox
        return self.eventually(lambda: box.find(self.name(text), folder, **query))


def _without_source(exchange: Exchange) -> Any:
    """The body of a refusal as JSON or text, without the name of the host that wrote it."""
    try:
        body = exchange.json()
    except ValueError:
        return exchange.body[:_LONGEST_TEXT].decode("utf-8", "replace")
    text = json.dumps(body)
    if isinstance(body, dict):
        body = json.loads(text)
        for holder in (body, body.get("error")):
            if isinstance(holder, dict) and holder.get("source"):
                holder["source"] = "<host>"
    return body
