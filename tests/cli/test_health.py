"""The command `health`, and what every command says when nobody answers it."""

from __future__ import annotations

import pytest

from tests.cli.commands import failure, run

pytestmark = pytest.mark.slow


def test_health(url: str) -> None:
    """A server that answers is healthy: exit code 0, and nothing to say."""
    done = run("health", "--url", url)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_health_asks_where_the_environment_says(url: str) -> None:
    """The URL may come from the environment; a proxy that is set there is not asked."""
    proxy = "http://127.0.0.1:1"
    done = run("health", OUTLOOK_EMULATOR_URL=url, http_proxy=proxy, HTTP_PROXY=proxy, no_proxy="")

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "arguments", [["health"], ["seed", "office"], ["clock"], ["reset"]], ids=lambda words: words[0]
)
def test_nobody_answers(closed_port: int, arguments: list[str]) -> None:
    """Without a server the command fails with 1 and says whom it asked."""
    asked = f"http://127.0.0.1:{closed_port}"

    assert failure(run(*arguments, "--url", asked)).startswith(f"no response from {asked}: ")


def test_somebody_else_answers(babbler: str) -> None:
    """What speaks no HTTP is not healthy, and is no reason for a traceback."""
    assert failure(run("health", "--url", babbler)).startswith(f"no response from {babbler}: ")


@pytest.mark.parametrize("asked", ["localhost", "http://", "http://a b", "nothing://x", "http://[::"])
def test_url_that_is_none(asked: str) -> None:
    """A URL that is none fails with 1 and one line."""
    assert failure(run("health", "--url", asked)).startswith(f"no response from {asked}: ")


def test_health_of_another_server(url: str) -> None:
    """A server that has no such health check is not healthy."""
    assert f"{url}/elsewhere responded with status 404" == failure(run("health", "--url", f"{url}/elsewhere"))
