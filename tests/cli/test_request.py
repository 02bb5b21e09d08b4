"""What all client commands share: URL, credentials, TLS, and the handling of unexpected responses."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outlook_emulator import client
from outlook_emulator.cli import parser
from tests.stub import Stub

LOCAL = {
    "exec",
    "serve",
    "operations",
    "swagger",
    "health",
    "contract",
    "record",
    "ca",
    "completion",
    "init",
    "connections patch",
    "connections restore",
    "connections status",
}
"""Commands that send no request to the admin API, or print nothing."""


def commands(command_parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Return every command with its parser, by its words."""
    groups = [action for action in command_parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield name, command_parser
    for group in groups:
        for word, inner in group.choices.items():
            yield from commands(inner, f"{name} {word}".strip())


ASKING = {name: command_parser for name, command_parser in commands(parser()) if name not in LOCAL}


@pytest.mark.parametrize("name", ASKING)
def test_options(name: str) -> None:
    """Every client command has the same connection options."""
    taken = {option for action in ASKING[name]._actions for option in action.option_strings}

    assert {"--url", "--token", "--ca-file", "--json"} <= taken


@pytest.mark.parametrize("name", ASKING)
def test_sandbox(name: str) -> None:
    """Every command about a sandbox takes it as an option or an argument."""
    everywhere = {"sandbox list", "fault names", "sandbox create"}

    assert (name not in everywhere) == any(action.dest == "sandbox" for action in ASKING[name]._actions)


def test_credentials(stub: Stub, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and URL come from the environment, and options override them."""
    stub.body = {"value": []}
    monkeypatch.setenv(client.URL, stub.url)
    monkeypatch.setenv(client.TOKEN, "secret")
    say("sandbox", "list")
    say("sandbox", "list", "--token", "other")

    assert ["Bearer secret", "Bearer other"] == [request.headers["authorization"] for request in stub.requests]


def test_help_does_not_show_the_token(say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The help does not show the token of the environment."""
    monkeypatch.setenv(client.TOKEN, "secret")

    assert "secret" not in say("clock", "--help")[1]


def test_ca_file(say: Callable[..., Any]) -> None:
    """--ca-file names the file with trusted certificates."""
    _, _, errors = say("sandbox", "list", "--url", "https://127.0.0.1:1", "--ca-file", "none.pem")

    assert "cannot read certificates from none.pem: No such file or directory" in errors


def test_error_message(stub: Stub, say: Callable[..., Any]) -> None:
    """An error shows the server's message without its technical lines."""
    stub.status, stub.body = 401, {"status": 401, "message": "The admin API wants a token.\r\nclientRequestId: 1"}

    assert (1, "", "outlook-emulator: The admin API wants a token.\n") == say("reset", "--url", stub.url)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "URL responded with status 500"),
        (b"a\x1b[31m\r\nred", "a [31m red"),
        (b"<html>", "<html>"),
        ([1], "[1]"),
        ({"message": 3}, '{"message": 3}'),
    ],
)
def test_error_in_another_format(stub: Stub, say: Callable[..., Any], answer: Any, said: str) -> None:
    """An error response in an unknown format is printed as it is, without control characters."""
    stub.status, stub.body = 500, answer

    assert (1, "", f"outlook-emulator: {said.replace('URL', stub.url)}\n") == say("reset", "--url", stub.url)


@pytest.mark.parametrize("answer", [b"hello", b"\xff", None, [], {}, {"value": 3}, {"value": [3]}, {"value": [{}]}])
def test_response_in_another_format(stub: Stub, say: Callable[..., Any], answer: Any) -> None:
    """A response in an unknown format gives an error and no traceback, and --json still prints it."""
    stub.body = answer
    asked = ("question", "list", "--url", stub.url)
    reason = "has an unknown format; --json prints it"

    assert (1, "", f"outlook-emulator: the response of {stub.url} {reason}\n") == say(*asked)
    assert 0 == say(*asked, "--json")[0]


def test_sandbox_names_are_one_path_segment(stub: Stub, say: Callable[..., Any]) -> None:
    """A sandbox name is escaped as one path segment, including bytes that are not valid text."""
    say("reset", "--sandbox", "../a b?/\udcff", "--url", stub.url)

    assert "POST /_emulator/api/sandboxes/..%2Fa%20b%3F%2F%FF/reset" == stub.last().line
