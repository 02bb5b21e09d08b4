"""Running the app under uvicorn: as a process of its own that says when it can answer, or in a thread of another."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from outlook_emulator.app import create_app
from outlook_emulator.clock import Clock
from outlook_emulator.errors import ConnectorError
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.connector.broken_connection import TRANSPORT
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import IncompatibleFile

if TYPE_CHECKING:
    import trustme

_ORGANIZATION = "Outlook Connector Emulator"
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_GOODBYE = 0.05
"""How long an idle client has to answer the end of TLS, in seconds."""


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that can be called at `url` for as long as the block of `running` lasts.

    `app.state.sandboxes` is the registry behind it. `ca_file` names the certificate that its clients have to trust,
    None where it speaks plain http.
    """

    url: str
    app: Starlette
    ca_file: str | None = None


class Certified(NamedTuple):
    """A TLS context with a certificate of its own, and the file with the one that clients have to trust for it."""

    context: ssl.SSLContext
    ca_file: str


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; the exit code. OSError and ValueError say what keeps it from starting."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn stops gracefully and then raises the signal again which would look like a failure.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with _listening(settings) as listener, _certified(settings) as tls:
        config = config_of(_created(settings), tls=tls)
        ready = f"outlook-emulator ready url={_url(listener, tls)} store={settings.data or 'memory'}"
        if tls is not None:
            ready += f" ca={tls.ca_file}"
        server = _Server(config, lambda: print(ready, flush=True))
        with suppress(KeyboardInterrupt):
            asyncio.run(server.serve([listener]))
    return 0


@contextmanager
def running(
    settings: Settings | None = None, clock: Clock | None = None, app: Starlette | None = None
) -> Iterator[Running]:
    """An emulator in a thread of this process; it answers when the block begins, and is gone when it has ended.

    It listens on a free port unless `settings` name another than the default one. `clock` replaces the system's for
    every sandbox. An `app` of one's own is served as it is and once, since its databases are closed at the end: a
    clock does not go with it, and of `settings` only those say anything that are about where and how to listen.
    OSError and ValueError say what keeps it from starting, RuntimeError that the app's own start failed.
    """
    if app is not None and clock is not None:
        raise ValueError("an app has its clock already: give create_app the clock, and running the app")
    own = _settings_of(app)
    settings = settings or own
    if app is not None:
        settings = replace(settings, admin_token=own.admin_token)
    if settings.port == Settings().port:
        settings = replace(settings, port=0)
    with _listening(settings) as listener, _certified(settings) as tls:
        served = app or _created(settings, clock)
        with _in_thread(config_of(served, tls=tls), listener):
            yield Running(_url(listener, tls), served, tls and tls.ca_file)


def config_of(app: ASGIApp, port: int = 0, tls: Certified | None = None) -> uvicorn.Config:
    """How uvicorn is set up to serve the emulator."""
    return _Config(
        app,
        tls,
        port=port,
        http=_Connection,
        ws="none",
        loop="asyncio",
        log_config=None,  # The log of uvicorn follows the configuration of the process.
        access_log=False,
        server_header=False,
        date_header=False,  # Answers carry the date of their sandbox.
        timeout_graceful_shutdown=5,
    )


class _Config(uvicorn.Config):
    """With TLS, the context as it was made: left to itself, uvicorn reads keys from files only."""

    def __init__(self, app: ASGIApp, tls: Certified | None, **more: Any) -> None:
        super().__init__(app, **more)
        self._tls = tls

    def load(self) -> None:
        super().load()
        if self._tls is not None:
            self.ssl = self._tls.context


class _Connection(HttpToolsProtocol):
    """Hands the app what it takes to break it, as fault rules ask, and hangs up on an idle client at the stop.

    Who keeps a connection for later does not look at it, and so does not answer the goodbye that TLS waits for.
    """

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # The types only know extensions that describe themselves with a dict.
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def shutdown(self) -> None:
        super().shutdown()
        if self.scheme == "https" and (self.cycle is None or self.cycle.response_complete):
            self.loop.call_later(_GOODBYE, self.transport.abort)


class _Server(uvicorn.Server):
    """Tells when it can answer."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Calls that wait for a clock nobody will move any more would be waited for.
        sandboxes: Sandboxes | None = getattr(getattr(self.config.app, "state", None), "sandboxes", None)
        for sandbox in sandboxes.all() if sandboxes is not None else ():
            sandbox.traffic.waits.end()
        await super().shutdown(sockets)


@contextmanager
def _in_thread(config: uvicorn.Config, listener: socket.socket) -> Iterator[None]:
    """Answer for as long as the block lasts. Raises RuntimeError when the app does not start."""
    settled = threading.Event()
    server = _Server(config, settled.set)

    def run() -> None:
        try:
            # How its app fails to start uvicorn tells the log alone, and exits.
            with suppress(SystemExit):
                asyncio.run(server.serve([listener]))
        finally:
            settled.set()

    thread = threading.Thread(target=run, name="outlook-emulator", daemon=True)
    thread.start()
    try:
        settled.wait()
        if not server.started:
            raise RuntimeError("the emulator did not start; the log of uvicorn.error has the reason")
        yield
    finally:
        server.should_exit = True
        thread.join()


def _settings_of(app: Starlette | None) -> Settings:
    """The settings that an app was made with, as far as it was made by `create_app`."""
    sandboxes: Sandboxes | None = getattr(app.state, "sandboxes", None) if app is not None else None
    return Settings() if sandboxes is None else sandboxes.settings


def _created(settings: Settings, clock: Clock | None = None) -> Starlette:
    try:
        return create_app(settings, clock)
    except (ConnectorError, IncompatibleFile) as error:
        raise ValueError(str(error)) from error


def _url(listener: socket.socket, tls: Certified | None) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def _certified(settings: Settings) -> Iterator[Certified | None]:
    """A new certificate if the settings ask for TLS.

    Raises OSError if its file cannot be written, and ValueError if the extra `tls` is not installed.
    """
    if settings.tls != "yes":
        yield None
        return
    try:
        import trustme
    except ImportError as error:
        raise ValueError("TLS needs an extra: pip install 'outlook-connector-emulator[tls]'") from error

    authority = trustme.CA(organization_name=_ORGANIZATION)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _certificate(authority, settings.host).configure_cert(context)
    if not settings.tls_ca_file:
        with authority.cert_pem.tempfile() as path:
            yield Certified(context, path)
        return
    file = Path(settings.tls_ca_file).absolute()
    try:
        authority.cert_pem.write_to_path(file)
    except OSError as error:
        raise OSError(f"cannot write the certificate to {file}: {error.strerror or error}") from error
    yield Certified(context, str(file))


def _certificate(authority: trustme.CA, host: str) -> trustme.LeafCert:
    """A certificate for every name that this machine is likely to be called by."""
    names = [*_OWN_NAMES, *(name for name in (host, socket.gethostname()) if _is_name(authority, name))]
    now = datetime.now(UTC)
    # Some systems trust no certificate that is meant to last for more than 825 days, whoever signed it.
    return authority.issue_cert(
        *dict.fromkeys(names),
        organization_name=_ORGANIZATION,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=800),
    )


def _is_name(authority: trustme.CA, name: str) -> bool:
    """Whether a certificate can hold a name: that of a machine need be none that DNS would take."""
    try:
        authority.issue_cert(name)
    except ValueError:
        return False
    return True


def _listening(settings: Settings) -> socket.socket:
    """The socket that the settings ask for; a block closes it. Raises OSError and ValueError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With its protocol, as asyncio sends small packets at once only where it sees that one: without, the body of an
    # answer waits 40 ms for a client to acknowledge its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        _check_reach(listener, settings)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
    except (OverflowError, ValueError) as error:
        listener.close()
        raise ValueError(str(error)) from error
    return listener


def _check_reach(listener: socket.socket, settings: Settings) -> None:
    """Raises ValueError where others than this machine could use the admin API, and no token keeps them from it."""
    address = listener.getsockname()[0]
    if not settings.admin_token and not ip_address(address).is_loopback:
        raise ValueError(
            f"listening on {address} opens the admin API to other machines:"
            " set OUTLOOK_EMULATOR_ADMIN_TOKEN to a secret, or listen on 127.0.0.1"
        )
