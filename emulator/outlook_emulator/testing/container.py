"""The emulator's image in a container that a test starts; the extra `testcontainers` installs what it needs.

with OutlookContainer(seed="office") as container:
    print(container.runtime_url("office"))
"""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex
from tempfile import NamedTemporaryFile
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from outlook_emulator import client
from outlook_emulator.settings import Settings, options
from outlook_emulator.testing.server import Server, credential_for

IMAGE = "outlook-emulator"
"""The name of the image, as the documents build it."""

_READY = "outlook-emulator ready "
_OF_THE_IMAGE = ("host", "port", "ready_file")
"""Settings that the image sets."""
_POLL = 0.1


class OutlookContainer(DockerContainer):
    """An emulator in a container, which runs until the `with` block ends or until `stop`.

    `settings` are settings of a server by name, such as `seed="office"` or `max_calls=0`. Without `admin_token`, the
    token of the admin API is random. Raises TypeError for a setting that does not exist or that belongs to the image,
    and ValueError for a value that is not valid.
    """

    def __init__(self, image: str = IMAGE, *, admin_token: str = "", **settings: Any) -> None:
        variables = _variables(settings)
        super().__init__(image)
        self.admin_token = admin_token or token_hex(16)
        self._credential = credential_for(settings.get("authorization", ""))
        self._ca: Path | None = None
        self.with_exposed_ports(Settings().port)
        self.with_envs(OUTLOOK_EMULATOR_ADMIN_TOKEN=self.admin_token, **variables)
        self.waiting_for(LogMessageWaitStrategy(_READY).with_poll_interval(_POLL))

    @property
    def url(self) -> str:
        """The URL at which this process reaches the emulator."""
        scheme = self._ready_facts()["url"].partition(":")[0]
        return f"{scheme}://{self.get_container_host_ip()}:{self.get_exposed_port(Settings().port)}"

    @property
    def ca_file(self) -> str | None:
        """A copy of the certificate that clients must trust, None for plain http. It is removed by `stop`."""
        path = self._ready_facts().get("ca")
        if path and self._ca is None:
            with NamedTemporaryFile(suffix=".pem", delete=False) as file:
                file.write(self.exec(["cat", path]).output)
            self._ca = Path(file.name)
        return str(self._ca) if self._ca else None

    def runtime_url(self, connection_id: str) -> str:
        """The connection runtime URL of a connection id."""
        return f"{self.url}/apim/outlook/{connection_id}"

    def server(self) -> Server:
        """The emulator as a `Server`, which creates sandboxes and mailboxes; close it after use."""
        return Server(self.url, token=self.admin_token, ca_file=self.ca_file, credential=self._credential)

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        super().stop(force, delete_volume)
        if self._ca is not None:
            self._ca.unlink(missing_ok=True)
            self._ca = None

    def _ready_facts(self) -> dict[str, str]:
        output, _ = self.get_logs()
        return client.ready_facts(next(line for line in output.decode().splitlines() if line.startswith(_READY)))


def _variables(settings: dict[str, Any]) -> dict[str, str]:
    """The variables of the environment for settings by name. Raises TypeError and ValueError."""
    known = {option.name: option for option in options() if option.name not in _OF_THE_IMAGE}
    for name, value in settings.items():
        if name not in known:
            raise TypeError(f"{name!r} is not a setting of an emulator in a container")
        known[name].read(str(value))
    return {known[name].variable: str(value) for name, value in settings.items()}
