"""The emulator's own certificate authority, which lasts, and the certificates that it issues to servers."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

FOLDER = "OUTLOOK_EMULATOR_CA_FOLDER"
_ORGANIZATION = "Outlook Connector Emulator"
_OWN_NAMES = ("localhost", "127.0.0.1", "::1", "host.docker.internal", "outlook", "outlook-emulator")
_HINTS = {
    "linux": """\
  Debian, Ubuntu   sudo cp {file} /usr/local/share/ca-certificates/outlook-emulator.crt && sudo update-ca-certificates
  Fedora, RHEL     sudo cp {file} /etc/pki/ca-trust/source/anchors/outlook-emulator.pem && sudo update-ca-trust""",
    "darwin": """\
  macOS            security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {file}""",
    "win32": """\
  Windows          certutil -user -addstore Root {file}""",
}
_HINT = """\
For one program, without a change to the system: outlook-emulator exec --tls -- PROGRAM

By variables; Node adds the file to what it trusts, the others trust nothing else:
  Node             NODE_EXTRA_CA_CERTS={file}
  Python requests  REQUESTS_CA_BUNDLE={file}
  Python, others   SSL_CERT_FILE={file}
  .NET on Linux    SSL_CERT_FILE={file}
  curl             CURL_CA_BUNDLE={file}
  Java             keytool -importcert -noprompt -alias outlook-emulator -file {file} -keystore FILE -storepass changeit
                   java -Djavax.net.ssl.trustStore=FILE -Djavax.net.ssl.trustStorePassword=changeit ...

For all programs of this system, which then trust whoever has the key beside the certificate:
{system}"""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_CERTIFICATE, _KEY = "ca.pem", "ca-key.pem"


def folder(setting: str = "") -> Path:
    """The folder of the authority: that of the setting, that of the environment, or one of the user's.

    The environment counts in Python as well: the authority belongs to the user, not to a server. Raises ValueError
    without a home folder.
    """
    if chosen := setting or os.environ.get(FOLDER):
        return Path(chosen).absolute()
    try:
        return Path.home() / ".outlook-emulator"
    except RuntimeError:
        raise ValueError(f"this user has no home folder: set {FOLDER} to a folder for the CA") from None


def certificate_file(folder: Path) -> Path:
    """The file with the authority's certificate, which clients must trust; it may not exist yet."""
    return folder / "ca" / _CERTIFICATE


def ensure_authority(folder: Path) -> Path:
    """Make the authority in this folder unless it exists; returns the file of its certificate.

    Raises OSError if the folder cannot be written, and ValueError if the authority is damaged or the extra `tls` is not
    installed.
    """
    file = certificate_file(folder)
    try:
        if not file.exists() and not (file.parent / _KEY).exists():
            _make(file.parent)
    except OSError as error:
        raise OSError(
            f"cannot make a certificate authority in {folder}: {error.strerror or error};"
            f" set {FOLDER} to a folder that can be written"
        ) from error
    _check(file)
    return file


def server_context(folder: Path, host: str, names: Collection[str] = ()) -> ssl.SSLContext:
    """A TLS context with a new certificate for `host`, the usual names of this machine, and further names.

    Its key is never written to a file. Raises ValueError for a further name that no certificate can hold, and like
    `ensure_authority`.
    """
    file = ensure_authority(folder)
    library = _trustme()
    try:
        authority = library.CA.from_pem(file.read_bytes(), (file.parent / _KEY).read_bytes())
    except OSError as error:
        raise OSError(f"cannot read the certificate authority in {folder}: {error.strerror or error}") from error
    except ValueError as error:
        raise _damaged(file) from error
    for name in names:
        if not _is_name(authority, name):
            raise ValueError(f"no certificate can hold the name '{name[:100]}'")
    # The name of a machine may be invalid in DNS.
    own_names = [*_OWN_NAMES, *(name for name in (host, socket.gethostname()) if _is_name(authority, name))]
    now = datetime.now(UTC)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Some systems reject certificates that are valid for more than 825 days.
    authority.issue_cert(
        *dict.fromkeys([*own_names, *names]),
        organization_name=_ORGANIZATION,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=800),
    ).configure_cert(context)
    return context


def write_bundle(file: Path, ca_file: str, more: Iterable[str] = ()) -> None:
    """Write the emulator's certificate together with those that the system trusts, and those in `more` files.

    Programs that are given such a file trust nothing else, and must still reach other hosts. Raises OSError.
    """
    texts = [Path(ca_file).read_text(encoding="utf-8"), *_system_certificates()]
    for path in filter(None, more):
        with suppress(OSError):
            texts.append(Path(path).read_text(encoding="utf-8", errors="replace"))
    # Each once: the sources overlap, and programs read the whole file.
    certificates = dict.fromkeys(block for text in texts for block in _PEM.findall(text))
    file.write_text("\n".join(certificates) + "\n", encoding="utf-8")


def hints(file: Path, platform: str) -> str:
    """How programs, and a system of this `sys.platform`, come to trust the certificate in a file."""
    system = _HINTS.get(platform, _HINTS["linux"])
    return _HINT.format(file=file, system=system.format(file=file))


def _make(place: Path) -> None:
    """Make a new authority in the folder `place`, unless another process does so first."""
    authority = _trustme().CA(organization_name=_ORGANIZATION)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix="new-", dir=place.parent))
    _write(draft / _KEY, authority.private_key_pem.bytes(), 0o600)
    _write(draft / _CERTIFICATE, authority.cert_pem.bytes(), 0o644)
    try:
        # In one step: certificate and key belong together, and other processes may be starting too.
        draft.rename(place)
    except OSError:
        for file in draft.iterdir():
            file.unlink()
        draft.rmdir()
        if not (place / _CERTIFICATE).exists():
            raise


def _check(file: Path) -> None:
    """Raise ValueError unless certificate and key are there and belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A user who may not read the key may still hand out the certificate.
        with suppress(PermissionError):
            # The key has no password; without one here, OpenSSL would ask for that of a foreign key.
            context.load_cert_chain(file, file.parent / _KEY, password="")
    except (FileNotFoundError, ssl.SSLError) as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> ValueError:
    return ValueError(f"the certificate authority in {file.parents[1]} is damaged: delete {file.parent}")


def _write(file: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)


def _trustme() -> ModuleType:
    try:
        import trustme
    except ImportError as error:
        raise ValueError("TLS needs an extra: pip install 'outlook-connector-emulator[tls]'") from error
    return trustme


def _is_name(authority: trustme.CA, name: str) -> bool:
    """Whether a certificate can hold a name."""
    try:
        authority.issue_cert(name)
    except ValueError:
        return False
    return True


def _system_certificates() -> Iterator[str]:
    """The certificates that this system trusts, as PEM; those of the package certifi where it names none."""
    # OpenSSL reads the file at once. It finds the certificates of the folder by their names, which are hashes.
    loaded = ssl.create_default_context().get_ca_certs(binary_form=True)
    hashed = sorted(Path(ssl.get_default_verify_paths().capath or os.devnull).glob("????????.[0-9]"))
    yield from map(ssl.DER_cert_to_PEM_cert, loaded)
    yield from (file.read_text(encoding="utf-8", errors="replace") for file in hashed)
    if not loaded and not hashed:
        import certifi

        yield certifi.contents()
