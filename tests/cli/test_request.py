"""What the commands that ask an emulator share: whom they ask, as whom, and what they make of odd answers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outlook_emulator import client
from outlook_emulator.cli import parser
from tests.stub import Stub

LOCAL = {"exec", "serve", "operations", "swagger", "health", "connections patch", "connections restore"}
"""Commands that ask nobody, or print nothing."""


def commands(command_parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, by its words."""
    groups = [action for action in command_parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield name, command_parser
    for group in groups:
        for word, inner in group.choices.items():
            yield from commands(inner, f"{name} {word}".strip())


ASKING = {name: command_parser for name, command_parser in commands(parser()) if name not in LOCAL}


@pytest.mark.parametrize("name", ASKING)
def test_options(name: str) -> None:
    """Every command that asks an emulator takes the same options."""
    taken = {option for action in ASKING[name]._actions for option in action.option_strings}

    assert {"--url", "--token", "--ca-file", "--json"} <= taken


@pytest.mark.parametrize("name", ASKING)
def test_sandbox(name: str) -> None:
    """Every command that asks about a sandbox says which, as an option or by its name."""
    everywhere = {"sandbox list", "fault names", "sandbox create"}

    assert (name not in everywhere) == any(action.dest == "sandbox" for action in ASKING[name]._actions)


def test_credentials(stub: Stub, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The token and the URL come from the environment, and options win."""
    stub.body = {"value": []}
    monkeypatch.setenv(client.URL, stub.url)
    monkeypatch.setenv(client.TOKEN, "secret")
    say("sandbox", "list")
    say("sandbox", "list", "--token", "other")

    assert ["Bearer secret", "Bearer other"] == [request.headers["authorization"] for request in stub.requests]


def test_help_does_not_tell_the_token(say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is secret in the environment is not in the help."""
    monkeypatch.setenv(client.TOKEN, "secret")

    assert "secret" not in say("clock", "--help")[1]


def test_ca_file(say: Callable[..., Any]) -> None:
    """The file of certificates that is named is the one that is read."""
    _, _, errors = say("sandbox", "list", "--url", "https://127.0.0.1:1", "--ca-file", "none.pem")

    assert "cannot read certificates from none.pem: No such file or directory" in errors


def test_refused_for_want_of_a_token(stub: Stub, say: Callable[..., Any]) -> None:
    """A refusal is the server's message up to its technical lines."""
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
def test_refusal_in_another_form(stub: Stub, say: Callable[..., Any], answer: Any, said: str) -> None:
    """A refusal that is no emulator's is shown as it is."""
    stub.status, stub.body = 500, answer

    assert (1, "", f"outlook-emulator: {said.replace('URL', stub.url)}\n") == say("reset", "--url", stub.url)


@pytest.mark.parametrize("answer", [b"hello", b"\xff", None, [], {}, {"value": 3}, {"value": [3]}, {"value": [{}]}])
def test_answer_in_another_form(stub: Stub, say: Callable[..., Any], answer: Any) -> None:
    """An answer that a command cannot read is no reason for a traceback, and --json still prints it."""
    stub.body = answer
    asked = ("question", "list", "--url", stub.url)
    reason = "has an unknown format; --json prints it"

    assert (1, "", f"outlook-emulator: the response of {stub.url} {reason}\n") == say(*asked)
    assert 0 == say(*asked, "--json")[0]


def test_sandbox_names_are_one_part_of_a_path(stub: Stub, say: Callable[..., Any]) -> None:
    """Whatever a name holds stays within it, bytes that are no text included."""
    say("reset", "--sandbox", "../a b?/\udcff", "--url", stub.url)

    assert "POST /_emulator/api/sandboxes/..%2Fa%20b%3F%2F%FF/reset" == stub.last().line
