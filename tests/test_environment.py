"""The variables that lead a program to an emulator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outlook_emulator import certificates, environment

URL = "https://127.0.0.1:1"
NODE, BUNDLE = "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables that matter here from the environment."""
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    for name in [*proxies, *map(str.upper, proxies), NODE, BUNDLE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]:
        monkeypatch.delenv(name, raising=False)


def changes(ca_file: Path | None = None, folder: Path | None = None, header: str = "h") -> dict[str, str | None]:
    return environment.changes(URL, f"{URL}/apim/outlook/me", header, str(ca_file) if ca_file else None, folder)


def test_without_a_token_endpoint() -> None:
    """Without a token endpoint, no variable about credentials changes."""
    assert {"OUTLOOK_EMULATOR_URL": URL, "OUTLOOK_CONNECTION_URL": f"{URL}/apim/outlook/me"} == changes(header="")


def test_identity() -> None:
    """Azure's libraries find the token endpoint, and no other one."""
    variables = changes()

    assert f"{URL}/_emulator/msi/token" == variables["IDENTITY_ENDPOINT"]
    assert ("h", "ManagedIdentityCredential") == (variables["IDENTITY_HEADER"], variables["AZURE_TOKEN_CREDENTIALS"])
    assert {"IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"} == {
        name for name, value in variables.items() if value is None
    }


def test_certificates(tmp_path: Path) -> None:
    """Node gets the emulator's certificate, programs that replace what they trust get a bundle with the system's."""
    ca_file = certificates.ensure_authority(tmp_path)
    variables = changes(ca_file, tmp_path)
    (bundle,) = {variables[name] for name in (BUNDLE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}

    assert {str(ca_file)} == {variables[NODE], variables["OUTLOOK_EMULATOR_CA_FILE"]}
    assert ca_file.read_text() in Path(bundle or "").read_text()


@pytest.mark.parametrize("name", [NODE, BUNDLE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What the environment trusts already, such as a company's proxy, every program goes on to trust."""
    own, company = (certificates.ensure_authority(tmp_path / name) for name in ("own", "company"))
    monkeypatch.setenv(name, str(company))
    variables = changes(own, tmp_path)

    for variable in {BUNDLE, name}:
        text = Path(variables[variable] or "").read_text()
        assert {own.read_text(), company.read_text()} <= set(re.findall(r"-----B.*?END C.*?\n", text, re.DOTALL))


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Where there is a proxy, requests to the emulator go around it, as do those that did before."""
    monkeypatch.setenv(proxy, "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "example.com")
    variables = changes()

    assert ("example.com,127.0.0.1", "example.com,127.0.0.1") == (variables["NO_PROXY"], variables["no_proxy"])
