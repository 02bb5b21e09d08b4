"""The command `ca`: the certificate that clients must trust."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_emulator import certificates
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings


def test_certificate(say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made at the first call, printed by each, and signs the certificates of servers."""
    monkeypatch.setenv(certificates.FOLDER, str(tmp_path))
    texts = [say("ca") for _ in range(2)]
    context = ssl.create_default_context(cadata=texts[0][1])
    with running(Settings(tls="yes")) as served:
        response = httpx.get(f"{served.url}/readyz", verify=context, trust_env=False)

    assert (texts[0], 200) == (texts[1], response.status_code)
    assert (0, "") == (texts[0][0], texts[0][2])


def test_path_and_hints(say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints the path of the certificate, or how to trust it."""
    monkeypatch.setenv(certificates.FOLDER, str(tmp_path))
    file = tmp_path / "ca" / "ca.pem"

    assert (0, f"{file}\n", "") == say("ca", "--path")
    assert f"NODE_EXTRA_CA_CERTS={file}\n" in say("ca", "--hints")[1]


def test_folder_that_cannot_be_written(
    say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written is an error on one line."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(certificates.FOLDER, str(tmp_path / "file"))
    status, text, error = say("ca")

    assert (1, "") == (status, text)
    assert error.startswith(f"outlook-emulator: cannot make a certificate authority in {tmp_path / 'file'}: ")
