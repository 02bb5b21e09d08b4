"""The text of a line of the request log."""

from __future__ import annotations

import pytest

from outlook_emulator.traffic.journal import Cause, DeliveryEntry, ExchangeEntry
from outlook_emulator.traffic.request_log import Line, cause_texts, line_of, status_text


def entry(**members: object) -> ExchangeEntry:
    exchange = ExchangeEntry(1, 0, 0)
    for name, value in ({"status": 200, "outcome": "answered", "method": "GET"} | members).items():
        setattr(exchange, name, value)
    return exchange


def test_columns() -> None:
    """A line has status, duration, connection and operation; causes follow, and nothing else does without one."""
    line = Line("504", 3.24, "alice", "SendEmailV2", ("fault late: gateway-timeout", "limit warning: near"))

    assert "504     3.2 ms  alice         SendEmailV2  fault late: gateway-timeout, limit warning: near" == str(line)
    assert "200             -             Test" == str(Line("200", None, "", "Test", ()))


@pytest.mark.parametrize(
    ("status", "colour"), [("200", 32), ("302", 36), ("404", 33), ("500", 31), ("reset", 31), ("lost", 31)]
)
def test_colours(status: str, colour: int) -> None:
    """The status is coloured by its class, causes are dim, and colours are off by default."""
    line = Line(status, 1.0, "a", "b", ("c",))

    assert line.text(coloured=True).startswith(f"\x1b[{colour}m{status:>3}\x1b[0m ")
    assert line.text(coloured=True).endswith("\x1b[2mc\x1b[0m")
    assert "\x1b" not in line.text()


@pytest.mark.parametrize("coloured", [False, True])
def test_control_characters(coloured: bool) -> None:
    """Callers cannot steer the terminal: control characters of paths, connections and reasons become blanks."""
    line = Line("404", 1.0, "a\x1b[2J", "GET /\x1b]0;title\x07", ("x\r\ny",)).text(coloured=coloured)

    assert "\x1b[2J" not in line
    assert not {"\x07", "\r", "\n"} & set(line)
    assert "\x1b]" not in line


def test_an_unknown_operation() -> None:
    """Without an operation, a line shows method and path, without the secrets of the path."""
    assert "GET /x/y?sig=(redacted)" == line_of(entry(), "/x/y?sig=s3cret").what


def test_a_callback() -> None:
    """A callback shows its URL, its status, and why it failed."""
    attempt = DeliveryEntry(1, 0, 0, 7, "poke", "", "http://h/hook", 1, b"", None, "refused")

    assert ("lost", "callback http://h/hook", ("refused",)) == line_of(attempt)[::3] + line_of(attempt)[4:]
    assert ("202", ()) == line_of(attempt._replace(status=202, error=None))[::4]


@pytest.mark.parametrize(
    ("status", "outcome", "text"),
    [(200, "answered", "200"), (504, "reset", "reset"), (200, "lost", "lost"), (None, "answered", "answered")],
)
def test_status(status: int | None, outcome: str, text: str) -> None:
    """A response that did not arrive shows how it was lost instead of its status."""
    assert text == status_text(status, outcome)


def test_secrets_in_reasons() -> None:
    """Reasons quote requests, so secrets are removed from them."""
    assert ("refusal E: bad https://h/?sig=(redacted)",) == cause_texts(
        [Cause("refusal", "E", "bad https://h/?sig=abc")]
    )
