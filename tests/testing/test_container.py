"""The class for testcontainers: its settings, and, against the image in OUTLOOK_EMULATOR_TEST_IMAGE, a container.

`python -m tools.check_image` builds the image and runs these tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from testcontainers.core.container import DockerContainer

from outlook_emulator import client
from outlook_emulator.testing.container import OutlookContainer
from tests.docs.pages import DOCS, Page
from tests.processes import HUNG_AFTER

IMAGE = os.environ.get("OUTLOOK_EMULATOR_TEST_IMAGE", "")
with_docker = pytest.mark.skipif(not IMAGE, reason="OUTLOOK_EMULATOR_TEST_IMAGE names no image")


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating a container object connects to Docker, unless this stands in for the base class."""

    def init(self: Any, image: str) -> None:
        self.image, self.env, self.ports = image, {}, {}

    monkeypatch.setattr(DockerContainer, "__init__", init)


@pytest.mark.usefixtures("no_docker")
def test_settings_become_variables() -> None:
    """Keywords are settings; the admin token is random unless it is given."""
    container = OutlookContainer("image:1", seed="office", max_calls=0, admin_token="secret")

    assert ("image:1", {"4365": None}) == (container.image, container.ports)
    assert container.env == {
        client.TOKEN: "secret",
        "OUTLOOK_EMULATOR_SEED": "office",
        "OUTLOOK_EMULATOR_MAX_CALLS": "0",
    }
    assert OutlookContainer().admin_token != OutlookContainer().admin_token


@pytest.mark.usefixtures("no_docker")
@pytest.mark.parametrize(
    ("settings", "error", "name"),
    [
        ({"sed": "office"}, TypeError, "sed"),
        ({"port": 5000}, TypeError, "port"),
        ({"max_calls": "many"}, ValueError, "--max-calls"),
    ],
    ids=["unknown", "of the image", "invalid"],
)
def test_wrong_settings(settings: dict[str, Any], error: type[Exception], name: str) -> None:
    """A setting that does not exist, that the image sets, or whose value is invalid is an error before the start."""
    with pytest.raises(error, match=name):
        OutlookContainer(**settings)


@with_docker
def test_container_serves_mail() -> None:
    """A container serves samples and, through `server`, mailboxes in sandboxes of their own."""
    with OutlookContainer(IMAGE, seed="office") as container:
        url = f"{container.runtime_url('office')}/v2/Mail"
        mails = httpx.get(url, headers={"Authorization": "Bearer x"}, trust_env=False).json()["value"]
        with container.server() as server:
            ada = server.connect("ada")
            ada.deliver(subject="Hello")
            subjects = [mail["Subject"] for mail in ada.mails()]

    assert mails
    assert ["Hello"] == subjects


@with_docker
def test_documented_fixture(tmp_path: Path) -> None:
    """With the fixture of the documents, the pytest plugin uses the container."""
    page = Page.read(DOCS / "containers.md")
    (tmp_path / "conftest.py").write_text(page.files["conftest.py"], encoding="utf-8")
    (tmp_path / "test_mail.py").write_text(
        "def test_mail(outlook, outlook_server):\n"
        "    outlook.deliver(subject='Hello')\n"
        "    assert [mail['Subject'] for mail in outlook.mails()] == ['Hello']\n"
        "    assert ':4365' not in outlook_server.url\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=HUNG_AFTER)

    assert "1 passed" in done.stdout, done.stdout


@with_docker
def test_container_with_tls_and_a_credential() -> None:
    """With TLS and a credential, `server` trusts the container's certificate and presents the credential."""
    with OutlookContainer(IMAGE, tls="yes", authorization="open sesame") as container:
        ca_file = container.ca_file
        with container.server() as server:
            ada = server.connect("ada")
            ada.deliver(subject="Hello")
            subjects = [mail["Subject"] for mail in ada.mails()]

    assert ca_file is not None
    assert not Path(ca_file).exists()
    assert ["Hello"] == subjects
