"""The host names that a server on this machine is served under; others may belong to a page that rebound its name."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from outlook_emulator.errors import MisdirectedRequest
from outlook_emulator.settings import Settings, listed

_LOOPBACK = ("localhost", ".localhost", "localhost.localdomain")
_CONTAINERS = (
    "host.docker.internal",
    "gateway.docker.internal",
    "host.containers.internal",
    "host.lima.internal",
    "host.testcontainers.internal",
)
"""The names by which containers reach their machine. `.internal` is never a public name, so no page can own one."""
_PRIVATE = (".internal", ".test", ".local", ".lan", ".home.arpa")
"""Names that no page on the Internet can own: reserved ones, and those of local networks and clusters."""
_EVERYWHERE = ("0.0.0.0", "::")
_MOST_SEEN = 1000


class Hosts:
    """The host names of a server. It checks them only while it can be reached from this machine alone.

    A page can let its own name resolve to this machine, and then read and control a server there as its own. An address
    is no such name. Other machines cannot be told apart by names, and a server that they reach has an admin token.

    `for_clients` accepts every name that no page on the Internet can own, too: clients call the connector by the names
    of services, such as `outlook` or `outlook.test`.
    """

    def __init__(self, settings: Settings, *, for_clients: bool = False) -> None:
        public = urlsplit(settings.public_url).hostname
        own = [
            *listed(settings.allowed_hosts),
            *listed(settings.tls_names),
            settings.host,
            *([public] if public else []),
        ]
        names = [name.lower() for name in (*_LOOPBACK, *_CONTAINERS, *own, *(_PRIVATE if for_clients else ()))]
        self._names = frozenset(name for name in names if not name.startswith("."))
        self._suffixes = tuple(name for name in names if name.startswith("."))
        self._is_open = settings.host in _EVERYWHERE
        self._for_clients = for_clients
        # Most requests of a client have the same header, and reading an address takes longer than a look here.
        self._served: set[tuple[str, bytes]] = set()

    def check(self, scope: Scope, header: bytes | None) -> None:
        """Raise MisdirectedRequest for a Host header with a name that is not the server's."""
        if self._is_open or not header:
            return
        seen = ((scope.get("server") or ("",))[0], header)
        if seen in self._served:
            return
        host = header.decode("latin-1")
        if _is_loopback(scope) and not self._is_own(host_name(host)):
            raise MisdirectedRequest(host)
        if len(self._served) < _MOST_SEEN:
            self._served.add(seen)

    def _is_own(self, name: str) -> bool:
        is_service = self._for_clients and "." not in name and name.isascii() and name.replace("-", "").isalnum()
        return name in self._names or name.endswith(self._suffixes) or is_service or _is_address(name)


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without port and brackets."""
    text = host.lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


def _is_loopback(scope: Scope) -> bool:
    """Whether the connection arrived at an address that only this machine has."""
    server = scope.get("server")
    try:
        return server is not None and ip_address(server[0]).is_loopback
    except ValueError:
        # A socket file, or a test that calls the app without a connection.
        return False


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
