"""Runs the app under uvicorn, in the foreground of a process or in a thread."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import uvicorn
from starlette.types import ASGIApp

from outlook_emulator import certificates, descriptors
from outlook_emulator.clock import Clock
from outlook_emulator.early_app import EarlyApp
from outlook_emulator.errors import ConnectorError
from outlook_emulator.frozen import Frozen
from outlook_emulator.parts import Parts
from outlook_emulator.sandbox.aside import LookUps, all_work_ended
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings, listed
from outlook_emulator.sockets import ACCEPTED_AT_ONCE, Bounds, Connection, Watch
from outlook_emulator.store.opening import IncompatibleFile
from outlook_emulator.wire import body

if TYPE_CHECKING:
    from starlette.applications import Starlette

T = TypeVar("T")

_KEEP_ALIVE = 75
"""How long a connection may wait for its next request, in seconds: longer than the minute after which proxies close."""
_QUEUE = 2048
"""How many connections may wait to be accepted."""
_FINISH = 0.2
"""How long clients have to take their responses when the server stops, in seconds."""
_PATIENCE = 0.4
"""How long the requests themselves have to finish then, after a tenth of a second that uvicorn always waits."""


class Running(Frozen):
    """A running emulator, which responds at `url` until the block of `running` ends.

    `app.state.sandboxes` is its registry of sandboxes. `ca_file` is the path of the certificate that clients must
    trust, None for plain http.
    """

    url: str
    app: Starlette
    ca_file: str | None = None


class Certified(NamedTuple):
    """A TLS context with a new certificate, and the path of the CA certificate that clients must trust."""

    context: ssl.SSLContext
    ca_file: str


def serve(settings: Settings, *, loading: AbstractContextManager[object] | None = None) -> int:
    """Serve until a signal arrives; returns the exit code. Raises OSError or ValueError if it cannot start.

    Data and sample mailboxes are loaded in the block of `loading`.
    """
    descriptors.raise_limit()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with _listening(settings) as listener:
        tls = _certified(settings)
        with loading or nullcontext():
            app = EarlyApp(_built(lambda: Parts(settings)))
        config = config_of(app, settings, tls=tls)
        # `outlook-emulator exec` and scripts wait for this line, so it is flushed as soon as requests are accepted.
        ready = f"outlook-emulator ready url={_url(listener, tls)} store={settings.data or 'memory'}"
        if tls is not None:
            ready += f" ca={tls.ca_file}"
        with _announced(settings, ready) as announce, suppress(KeyboardInterrupt):

            def on_ready() -> None:
                announce()
                # Otherwise the first body would hold all requests meanwhile.
                threading.Thread(target=body.prepare, daemon=True).start()
                app.complete().add_done_callback(lambda _: _settle())

            server = _Server(config, on_ready)
            _stop_on_hangup(server)
            try:
                asyncio.run(server.serve([listener]))
            except SystemExit as stop:
                # uvicorn raises its signal again after the stop, and SIGTERM then exits.
                if stop.code:
                    raise
    if not all_work_ended():
        # Nothing is lost: a transaction is whole on disk, or not there.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)
    return 0


def _settle() -> None:
    """Collect garbage from now on, when all of the server is imported."""
    # What is there now stays, so no collection needs to look at it.
    gc.freeze()
    gc.enable()


def _stop_on_hangup(server: uvicorn.Server) -> None:
    """Stop when the terminal is closed, as uvicorn does for other signals; not under nohup, which ignores it."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is signal.SIG_DFL:
        signal.signal(hangup, lambda _, frame: server.handle_exit(signal.SIGTERM, frame))


@contextmanager
def _announced(settings: Settings, ready: str) -> Iterator[Callable[[], None]]:
    """A function that writes the ready line, to standard output and to the file of the settings. Raises OSError."""
    file = Path(settings.ready_file) if settings.ready_file else None
    if file is None:
        yield partial(print, ready, flush=True)
        return

    def write(text: str) -> None:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OSError(f"cannot write the ready file {file}: {error.strerror or error}") from error

    def announce() -> None:
        write(f"{ready}\n")
        print(ready, flush=True)

    # Emptied first: the file of an earlier server must not be taken for this one's, and an error comes early.
    write("")
    try:
        yield announce
    finally:
        with suppress(OSError):
            file.unlink()


@contextmanager
def running(
    settings: Settings | None = None, clock: Clock | None = None, app: Starlette | None = None
) -> Iterator[Running]:
    """Run an emulator in a thread of this process, ready when the block begins and stopped when it ends.

    It listens on a free port unless `settings` name a port other than the default. `clock` replaces the system clock
    in every sandbox. A ready-made `app` can be served only once, because its databases are closed at the end. It keeps
    its own clock and settings; `settings` then only say where and how to listen. Raises OSError or ValueError if the
    emulator cannot start, and RuntimeError if the startup of the app fails.
    """
    if app is not None and clock is not None:
        raise ValueError("an app already has a clock: pass the clock to create_app instead")
    own = _settings_of(app)
    settings = settings or own
    if app is not None:
        # Whether other machines may reach it depends on the token that the app demands.
        settings = replace(settings, admin_token=own.admin_token)
    if settings.port == Settings().port:
        settings = replace(settings, port=0)
    with _listening(settings) as listener:
        tls = _certified(settings)
        served = app or _created(settings, clock)
        with _in_thread(config_of(served, settings, tls=tls), listener):
            yield Running(_url(listener, tls), served, tls and tls.ca_file)


def config_of(
    app: ASGIApp, settings: Settings | None = None, *, port: int = 0, tls: Certified | None = None
) -> _Config:
    """The configuration of uvicorn for the emulator."""
    return _Config(
        app,
        Watch(Bounds.of(settings or Settings())),
        tls,
        port=port,
        http=Connection,
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
        loop="asyncio",
        log_config=None,  # The process configures logging.
        access_log=False,
        server_header=False,
        date_header=False,  # Responses carry the date of their sandbox.
        timeout_keep_alive=_KEEP_ALIVE,
    )


class _Config(uvicorn.Config):
    """A uvicorn configuration with a watch over the connections and a ready TLS context.

    uvicorn itself only reads keys from files.
    """

    def __init__(self, app: ASGIApp, watch: Watch, tls: Certified | None, **more: Any) -> None:
        super().__init__(app, **more)
        # The annotation of the parameter allows no fraction, but uvicorn uses it as one.
        self.timeout_graceful_shutdown = _PATIENCE  # type: ignore[assignment]
        self.watch = watch
        self._tls = tls

    def load(self) -> None:
        super().load()
        if self._tls is not None:
            self.ssl = self._tls.context


class _Server(uvicorn.Server):
    """A server that calls `on_ready` when it accepts requests, and stops at once when it is to stop."""

    config: _Config

    def __init__(self, config: _Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        for listener in sockets or []:
            # Again, since asyncio takes the same number for the length of the queue.
            listener.listen(_QUEUE)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(LookUps())
        self.config.watch.start(loop)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Otherwise the shutdown would wait for requests that wait for what does not come any more.
        end_waits: Callable[[], None] | None = getattr(getattr(self.config.app, "state", None), "end_waits", None)
        if end_waits is not None:
            end_waits()
        self.config.watch.stop()
        logging.getLogger("uvicorn.error").addFilter(_is_no_cancelled_request)
        asyncio.get_running_loop().call_later(_FINISH, self.config.watch.abort)
        try:
            await super().shutdown(sockets)
        finally:
            logging.getLogger("uvicorn.error").removeFilter(_is_no_cancelled_request)


def _is_no_cancelled_request(record: logging.LogRecord) -> bool:
    """Whether a record is about something else than a request that the stop cut off, which uvicorn calls an error."""
    error = record.exc_info and record.exc_info[1]
    return not isinstance(error, asyncio.CancelledError)


@contextmanager
def _in_thread(config: _Config, listener: socket.socket) -> Iterator[None]:
    """Serve in a thread until the block ends. Raises RuntimeError if the app does not start."""
    settled = threading.Event()
    server = _Server(config, settled.set)

    def run() -> None:
        try:
            # If the app fails to start, uvicorn logs the reason and exits.
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
    """The settings of an app, or the defaults if it was not made by `create_app`."""
    sandboxes: Sandboxes | None = getattr(app.state, "sandboxes", None) if app is not None else None
    return Settings() if sandboxes is None else sandboxes.settings


def _created(settings: Settings, clock: Clock | None) -> Starlette:
    # Here, because a server in a process of its own imports it when it is ready.
    from outlook_emulator.app import create_app

    return _built(lambda: create_app(settings, clock))


def _built(build: Callable[[], T]) -> T:
    """What `build` returns. Raises ValueError if the settings or the data allow none."""
    try:
        return build()
    except (ConnectorError, IncompatibleFile) as error:
        raise ValueError(str(error)) from error


def _url(listener: socket.socket, tls: Certified | None) -> str:
    host, port = listener.getsockname()[:2]
    # A server that listens on all interfaces has no address of its own that a client could use.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "http" if tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _certified(settings: Settings) -> Certified | None:
    """A new certificate if the settings ask for TLS.

    Raises OSError if a file of the certificate authority cannot be read or written, and ValueError if the settings name
    something that no certificate can hold, or if the extra `tls` is not installed.
    """
    if settings.tls != "yes":
        return None
    folder = certificates.folder(settings.ca_folder)
    context = certificates.server_context(folder, settings.host, listed(settings.tls_names))
    ca_file = certificates.certificate_file(folder)
    if not settings.tls_ca_file:
        return Certified(context, str(ca_file))
    copy = Path(settings.tls_ca_file).absolute()
    try:
        copy.write_bytes(ca_file.read_bytes())
    except OSError as error:
        raise OSError(f"cannot write the certificate to {copy}: {error.strerror or error}") from error
    return Certified(context, str(copy))


def _listening(settings: Settings) -> socket.socket:
    """Open the socket of the settings; a `with` block closes it. Raises OSError or ValueError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is explicit because asyncio only sets TCP_NODELAY if it sees it. Without that option, the body of a
    # response waits 40 ms for the client to acknowledge its headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without it, a restart on the same port fails while connections of the last run linger. On Windows, it would let
    # two servers listen on one port.
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        _check_reach(listener, settings)
        listener.listen(_QUEUE)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
    except (OverflowError, ValueError) as error:
        listener.close()
        raise ValueError(str(error)) from error
    return listener


def _check_reach(listener: socket.socket, settings: Settings) -> None:
    """Raise ValueError if other machines could use the admin API without a token."""
    address = listener.getsockname()[0]
    if not settings.admin_token and not ip_address(address).is_loopback:
        raise ValueError(
            f"listening on {address} opens the admin API to other machines:"
            " set --admin-token (or OUTLOOK_EMULATOR_ADMIN_TOKEN) to a secret, or listen on 127.0.0.1"
        )
