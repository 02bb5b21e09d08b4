"""The certificate authority: it is made once, it keeps its key to itself, and a bundle holds the system's as well."""

from __future__ import annotations

import os
import re
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from outlook_emulator import certificates

POSIX = pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of a folder and all that is in it, by path below its parent."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder.parent)): oct(path.stat().st_mode & 0o777) for path in paths}


def test_authority_lasts(tmp_path: Path) -> None:
    """The authority is made at first use, and stays the same."""
    folder = tmp_path / "new" / "folder"
    texts = [certificates.ensure_authority(folder).read_text() for _ in range(2)]
    context = ssl.create_default_context(cafile=str(certificates.certificate_file(folder)))

    assert 1 == len(set(texts))
    assert "'Outlook Connector Emulator'" in str(context.get_ca_certs()[0]["subject"])


@POSIX
def test_modes(tmp_path: Path) -> None:
    """Nobody else can read the key, even with a permissive umask."""
    before = os.umask(0)
    try:
        certificates.ensure_authority(tmp_path / "own")
    finally:
        os.umask(before)

    assert {"own": "0o700", "own/ca": "0o700", "own/ca/ca-key.pem": "0o600", "own/ca/ca.pem": "0o644"} == modes(
        tmp_path / "own"
    )


def test_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that make the authority at the same time agree on one, and leave nothing else behind."""
    barrier, make = Barrier(4), certificates._make

    def make_together(place: Path) -> None:
        barrier.wait(10)
        make(place)

    monkeypatch.setattr(certificates, "_make", make_together)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(certificates.ensure_authority, [tmp_path] * 4))

    assert [tmp_path / "ca"] == list(tmp_path.iterdir())
    assert {"ca.pem", "ca-key.pem"} == {file.name for file in (tmp_path / "ca").iterdir()}
    assert {certificates.certificate_file(tmp_path)} == set(files)
    assert certificates.server_context(tmp_path, "127.0.0.1")


def test_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is that of the setting, of the environment, or one in the home folder."""
    monkeypatch.setenv(certificates.FOLDER, str(tmp_path / "variable"))
    named = certificates.folder(str(tmp_path / "setting")), certificates.folder()
    monkeypatch.delenv(certificates.FOLDER)
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path))

    assert (tmp_path / "setting", tmp_path / "variable") == named
    assert tmp_path / ".outlook-emulator" == certificates.folder()


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home folder, the error says what to set."""

    def home(cls: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(certificates.FOLDER)
    monkeypatch.setattr(Path, "home", classmethod(home))

    with pytest.raises(ValueError, match=r"^this user has no home folder: set OUTLOOK_EMULATOR_CA_FOLDER to a folder"):
        certificates.folder()


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """If the folder cannot be written, the error names it and says what to set."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below"

    with pytest.raises(
        OSError, match=f"^cannot make a certificate authority in {folder}: Not a directory; set OUTLOOK"
    ):
        certificates.ensure_authority(folder)


@pytest.mark.parametrize("file", ["ca.pem", "ca-key.pem"])
@pytest.mark.parametrize("damage", ["missing", "empty", "nonsense", "of another"])
def test_damaged_authority(tmp_path: Path, file: str, damage: str) -> None:
    """If one of the files is missing, damaged or that of another authority, the error names what to delete."""
    folder = tmp_path / "one"
    place = certificates.ensure_authority(folder).parent / file
    if damage == "missing":
        place.unlink()
    elif damage == "of another":
        place.write_bytes((certificates.ensure_authority(tmp_path / "other").parent / file).read_bytes())
    else:
        place.write_text("" if damage == "empty" else "nonsense")

    complaint = f"^the certificate authority in {folder} is damaged: delete {folder}/ca$"
    with pytest.raises(ValueError, match=complaint):
        certificates.ensure_authority(folder)
    with pytest.raises(ValueError, match=complaint):
        certificates.server_context(folder, "127.0.0.1")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library for certificates, the error names the extra; an authority that exists can be read."""
    certificates.ensure_authority(tmp_path / "made")
    monkeypatch.setitem(sys.modules, "trustme", None)

    assert certificates.ensure_authority(tmp_path / "made").exists()
    with pytest.raises(ValueError, match=r"^TLS needs an extra: pip install 'outlook-connector-emulator\[tls\]'$"):
        certificates.ensure_authority(tmp_path / "new")


def test_bundle(tmp_path: Path) -> None:
    """A bundle holds the emulator's certificate, the system's, and those of further files, each once."""
    own, corporate = (certificates.ensure_authority(tmp_path / name) for name in ("own", "corporate"))
    bundle = tmp_path / "bundle.pem"
    certificates.write_bundle(bundle, str(own), [str(corporate), "", str(tmp_path / "missing"), str(own)])
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", bundle.read_text(), re.DOTALL)
    context = ssl.create_default_context(cafile=str(bundle))

    assert len(blocks) == len(set(blocks)) > 10
    assert {own.read_text(), corporate.read_text()} <= set(blocks)
    assert len(context.get_ca_certs()) > 10


def test_bundle_where_the_system_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python finds no certificates of the system, the bundle holds those of certifi."""
    own = certificates.ensure_authority(tmp_path)
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(capath=None))
    certificates.write_bundle(tmp_path / "bundle.pem", str(own))

    assert (tmp_path / "bundle.pem").read_text().count("BEGIN CERTIFICATE") > 10


TOOLS = {"linux": "update-ca-certificates", "darwin": "security add-trusted-cert", "win32": "certutil"}


@pytest.mark.parametrize("platform", TOOLS)
def test_hints(platform: str) -> None:
    """The hints name the tool of the platform, and no other."""
    text = certificates.hints(Path("/home/me/ca.pem"), platform)

    assert [TOOLS[platform]] == [tool for tool in TOOLS.values() if tool in text]
    assert "NODE_EXTRA_CA_CERTS=/home/me/ca.pem\n" in text
