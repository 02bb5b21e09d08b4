"""The command `health`, and the error of every command if no server responds."""

from __future__ import annotations

import pytest

from tests.cli.commands import failure, run, run_here

pytestmark = pytest.mark.slow


def test_health(url: str) -> None:
    """A healthy server gives exit code 0 and no output."""
    done = run("health", "--url", url)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_url_from_the_environment(url: str) -> None:
    """The URL can come from the environment, and the proxy of the environment is not used."""
    proxy = "http://127.0.0.1:1"
    done = run("health", OUTLOOK_EMULATOR_URL=url, http_proxy=proxy, HTTP_PROXY=proxy, no_proxy="")

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "arguments", [["health"], ["seed", "office"], ["clock"], ["reset"]], ids=lambda words: words[0]
)
def test_no_response(closed_port: int, arguments: list[str]) -> None:
    """Without a server, a command exits with 1 and names the URL."""
    asked = f"http://127.0.0.1:{closed_port}"

    assert failure(run_here(*arguments, "--url", asked)).startswith(f"no response from {asked}: ")


def test_response_is_not_http(babbler: str) -> None:
    """A server that does not speak HTTP gives an error and no traceback."""
    assert failure(run_here("health", "--url", babbler)).startswith(f"no response from {babbler}: ")


@pytest.mark.parametrize("asked", ["localhost", "http://", "http://a b", "nothing://x", "http://[::"])
def test_invalid_url(asked: str) -> None:
    """An invalid URL exits with 1 and one line."""
    assert failure(run_here("health", "--url", asked)).startswith(f"no response from {asked}: ")


def test_health_of_another_server(url: str) -> None:
    """A server without the health check is not healthy."""
    assert f"{url}/elsewhere responded with status 404" == failure(run_here("health", "--url", f"{url}/elsewhere"))
