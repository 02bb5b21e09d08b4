"""Running the app under uvicorn: as a process of its own that says when it can answer, or in a thread of another."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulator.app import create_app
from emulator.clock import Clock
from emulator.errors import ConnectorError
from emulator.server.breaking import TRANSPORT
from emulator.settings import Settings
from emulator.store.database import IncompatibleFile


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that can be called at `url` for as long as the block of `running` lasts.

    `app.state.sandboxes` is the registry behind it. `ca_file` names the certificate that its clients have to trust,
    None where it speaks plain http.
    """

    url: str
    app: Starlette
    ca_file: str | None = None


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; the exit code. OSError and ValueError say what keeps it from starting."""
    # uvicorn stops gracefully and then raises the signal again which would look like a failure.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with _listening(settings) as listener:
        config = config_of(_created(settings))
        ready = f"outlook-emulator ready url={_url(listener)} store={settings.data or 'memory'}"
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
    every sandbox; an `app` of one's own is served as it is, so `clock` does not go with it. OSError and ValueError say
    what keeps it from starting, RuntimeError that the app's own start failed.
    """
    if app is not None and clock is not None:
        raise ValueError("an app has its clock already: give create_app the clock, and running the app")
    settings = settings or Settings()
    if settings.port == Settings().port:
        settings = replace(settings, port=0)
    with _listening(settings) as listener:
        served = app or _created(settings, clock)
        with _in_thread(config_of(served), listener):
            yield Running(_url(listener), served)


class _Protocol(HttpToolsProtocol):
    """Hands the app what it takes to break a connection, as fault rules ask."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # The types only know extensions that describe themselves with a dict.
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]


def config_of(app: ASGIApp, port: int = 0) -> uvicorn.Config:
    """How uvicorn is set up to serve the emulator."""
    return uvicorn.Config(
        app,
        port=port,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        log_config=None,  # Whose process it is decides where its log goes.
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # Answers carry the date of their sandbox.
        timeout_graceful_shutdown=5,
    )


class _Server(uvicorn.Server):
    """Tells when it can answer."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


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


def _created(settings: Settings, clock: Clock | None = None) -> Starlette:
    try:
        return create_app(settings, clock)
    except (ConnectorError, IncompatibleFile) as error:
        raise ValueError(str(error)) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listening(settings: Settings) -> socket.socket:
    """The socket that the settings ask for; a block closes it. Raises OSError and ValueError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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
