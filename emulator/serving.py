"""Running the app under uvicorn: one line when it can answer, and a clean stop on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from emulator.app import create_app
from emulator.errors import ConnectorError
from emulator.settings import Settings
from emulator.store.database import IncompatibleFile


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; the exit code. OSError and ValueError say what keeps it from starting."""
    listener = _listen(settings)
    try:
        app = create_app(settings)
    except (ConnectorError, IncompatibleFile) as error:
        raise ValueError(str(error)) from error
    config = config_of(app)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    store = settings.data or "memory"
    # uvicorn stops gracefully and then raises the signal again which would look like a failure.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(config, listener, f"outlook-emulator ready url=http://{shown}:{port} store={store}"))
    return 0


def config_of(app: ASGIApp, port: int = 0) -> uvicorn.Config:
    """How uvicorn is set up to serve the emulator."""
    return uvicorn.Config(
        app,
        port=port,
        http="httptools",
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # Answers carry the date of their sandbox.
        timeout_graceful_shutdown=5,
    )


class _Server(uvicorn.Server):
    """Says when it can answer."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)


async def _run(config: uvicorn.Config, listener: socket.socket, ready: str) -> None:
    await _Server(config, ready).serve([listener])


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
    except OverflowError as error:
        listener.close()
        raise ValueError(str(error)) from error
    return listener
