"""Three emulators behind nginx, with the configuration that users get: each sandbox lives on one of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from outlook_emulator import cli
from tests.processes import HUNG_AFTER

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
DEPLOY = Path(__file__).parents[1] / "deploy"
ROOT = "/_emulator/api/sandboxes"
SANDBOXES = [f"s{number}" for number in range(300)]
TEST_FILE = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_mail(outlook, make_outlook, number):
    other = make_outlook(seed="empty")
    outlook.deliver(subject=f"News {number}")
    assert [mail["Subject"] for mail in outlook.mails()] == [f"News {number}"]
    assert other.mails() == []
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Emulator:
    """One server, which can be stopped and started again on its port with its data."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = ["--port", str(self.port), "--data", str(folder), "--connection-ids", "sandbox"]
        self.launch()

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process, without waiting for the server."""
        command = [sys.executable, "-m", "outlook_emulator", "serve", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def wait(self) -> None:
        """Wait until the server is ready."""
        assert self._process.stdout is not None
        assert "ready" in self._process.stdout.readline()

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)

    def sandboxes(self) -> set[str]:
        """The names of its sandboxes, without the one that every server has."""
        rows = httpx.get(f"{self.url}{ROOT}", trust_env=False).json()["value"]
        return {row["name"] for row in rows} - {"default"}


@contextmanager
def proxied(emulators: Sequence[Emulator], folder: Path) -> Iterator[httpx.Client]:
    """A client of nginx in front of the servers."""
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text().replace("/tmp/", f"{folder}/").replace("/dev/stderr", "stderr")
    text = text.replace("listen 4365", f"listen 127.0.0.1:{port}")
    servers = "".join(f"\nserver 127.0.0.1:{emulator.port} max_fails=0;" for emulator in emulators)
    text, count = re.subn(r"(?:\s*server outlook-\d:4365 max_fails=0;)+", servers, text)
    assert 1 == count
    file = folder / "nginx.conf"
    file.write_text(text)
    assert NGINX is not None
    # Its log names each request to a stopped server.
    log = (folder / "nginx.log").open("w")
    process = subprocess.Popen([NGINX, "-c", str(file), "-g", "daemon off;"], stderr=log)
    transport = httpx.HTTPTransport(retries=4)
    headers = {"Authorization": "Bearer x"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, headers=headers) as client:
            assert 200 == client.get("/readyz").status_code
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        log.close()


def statuses(client: httpx.Client) -> dict[str, int]:
    """The status of a list of mails in each sandbox."""
    return {name: client.get(f"/apim/outlook/{name}.me/v2/Mail").status_code for name in SANDBOXES}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON that a command prints."""
    assert 0 == cli.main([*arguments, "--json"]), capsys.readouterr().err
    output = capsys.readouterr().out
    return json.loads(output) if output else None


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-light")
def test_three_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sandboxes stay together, whatever the form of a request; a stop, a start and a drain lose nothing."""
    with ExitStack() as stack:
        emulators = []
        for number in range(3):
            emulators.append(Emulator(tmp_path / f"data-{number}"))
            stack.callback(emulators[-1].stop)
        for emulator in emulators:
            emulator.wait()
        with proxied(emulators, tmp_path) as proxy:
            fill(proxy)
            owners = {name: emulator for emulator in emulators for name in emulator.sandboxes()}
            assert sorted(SANDBOXES) == sorted(owners)
            assert 300 == sum(len(emulator.sandboxes()) for emulator in emulators)
            assert min(len(emulator.sandboxes()) for emulator in emulators) > 50
            check_forms_of_requests(proxy)
            check_faults(proxy)
            check_commands(capsys, emulators, owners)
            check_plugin(str(proxy.base_url), tmp_path)

            emulators[1].stop()
            stopped = statuses(proxy)
            assert {name: 502 if owners[name] is emulators[1] else 200 for name in SANDBOXES} == stopped
            name = next(name for name in SANDBOXES if owners[name] is emulators[1])
            error = proxy.get(f"/apim/outlook/{name}.me/v2/Mail").json()["error"]
            assert "The emulator that has this sandbox does not respond." == error["message"]
            emulators[1].start()
            assert subjects(proxy) == {name: ["Kept"] for name in SANDBOXES}

        with proxied(emulators[:2], tmp_path) as proxy:
            before = [emulator.sandboxes() for emulator in emulators]
            drain(capsys, emulators[2], str(proxy.base_url).rstrip("/"), tmp_path)
            after = [emulator.sandboxes() for emulator in emulators]
            assert subjects(proxy) == {name: ["Kept"] for name in SANDBOXES}
        # Only the sandboxes of the drained server moved.
        assert before[0] < after[0]
        assert before[1] < after[1]
        assert set() == after[2]


def fill(proxy: httpx.Client) -> None:
    for name in SANDBOXES:
        mail = {"from": "a@example.org", "subject": "Kept"}
        created = proxy.put(f"{ROOT}/{name}", json={"connections": [{"id": f"{name}.me", "mails": [mail]}]})
        assert 201 == created.status_code, created.text


def subjects(proxy: httpx.Client) -> dict[str, list[str]]:
    """The subjects of the mails in each sandbox."""
    lists = {name: proxy.get(f"/apim/outlook/{name}.me/v2/Mail").json()["value"] for name in SANDBOXES}
    return {name: [mail["Subject"] for mail in mails] for name, mails in lists.items()}


def check_forms_of_requests(proxy: httpx.Client) -> None:
    """Every address of a sandbox leads to its server: another one would not know it."""
    for name in SANDBOXES[:12]:
        id, path = f"{name}.me", f"{ROOT}/{name}"
        invoked = {"x-ms-request-method": "GET", "x-ms-request-url": f"/apim/outlook/{id}/v2/Mail"}
        azure = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/connections/{id}/extensions/proxy/v2/Mail"
        message = {"To": "me@example.com", "Subject": "Lunch", "Options": "Soup,Salad"}
        body = {"NotificationUrl": "http://127.0.0.1:9/x", "Message": message}
        responses = [
            proxy.post("/invoke", headers=invoked),
            proxy.get(azure, params={"api-version": "2016-06-01"}),
            proxy.get(f"/apim/outlook/{name}%2Eme/v2/Mail"),
            proxy.get(f"/_emulator/s/{name}/"),
            proxy.get(f"{path}/journal"),
            proxy.post(f"/apim/outlook/{id}/mailwithoptions/$subscriptions", json=body),
        ]
        assert all(response.is_success for response in responses), [response.text[:300] for response in responses]
        (outbox,) = proxy.get(f"{path}/outbox").json()["value"]
        link = re.findall(r"http[^\"']+RecordResponse[^\"']+", outbox["html"])[0].replace("&amp;", "&")
        assert link.startswith(str(proxy.base_url))
        assert 200 == proxy.get(link).status_code
        (question,) = proxy.get(f"{path}/questions").json()["value"]
        assert question["answer"] is not None


def check_faults(proxy: httpx.Client) -> None:
    """The errors of an emulator pass as they are, those too that nginx has texts of its own for."""
    name = SANDBOXES[0]
    for fault, status in (("bad-gateway", 502), ("timeout-504-before", 504)):
        rule = {"effect": {"fault": fault}, "when": {"times": 1}}
        proxy.post(f"{ROOT}/{name}/faults", json={"faults": [rule]}).raise_for_status()
        response = proxy.get(f"/apim/outlook/{name}.me/v2/Mail")
        assert status == response.status_code
        assert fault in response.headers["x-outlook-emulator-fault"]


def check_commands(
    capsys: pytest.CaptureFixture[str], emulators: Sequence[Emulator], owners: dict[str, Emulator]
) -> None:
    """With several servers, the commands gather lists, and ask the server that has a sandbox."""
    urls = [word for emulator in emulators for word in ("--url", emulator.url)]
    rows = run(capsys, "sandbox", "list", *urls)["value"]
    assert {name: emulator.url for name, emulator in owners.items()} == {
        row["name"]: row["server"] for row in rows if row["name"] != "default"
    }
    assert 3 == sum(row["name"] == "default" for row in rows)
    for name in SANDBOXES[:5]:
        assert {"name": name, "connections": [f"{name}.me"]} == run(capsys, "sandbox", "show", name, *urls)
    for words, expected in (
        (["show", "nowhere"], "the sandbox 'nowhere' is on none of them"),
        (["show", "default"], "the sandbox 'default' is on http"),
        (["create", "new"], "a new sandbox needs a single --url"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["sandbox", *words, *urls])
        assert ended.value.code == 1
        assert expected in capsys.readouterr().err
    assert 0 == cli.main(["health", *urls])


def check_plugin(url: str, folder: Path) -> None:
    """A run of pytest in two processes uses the servers as one, and leaves nothing behind."""
    file = folder / "test_mail.py"
    file.write_text(TEST_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "outlook_emulator.pytest_plugin"]
    command += ["-n", "2", "--outlook-url", url.rstrip("/"), str(file)]
    # All the other plugins of this environment take most of the time.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_AFTER, cwd=folder, env=environment)
    assert "20 passed" in done.stdout, done.stdout + done.stderr


def drain(capsys: pytest.CaptureFixture[str], emulator: Emulator, proxy: str, folder: Path) -> None:
    """Move every sandbox of a server to those behind the proxy: some by the documented commands."""
    by_command = set(SANDBOXES[:30])
    with httpx.Client(trust_env=False) as http:
        for name in emulator.sandboxes():
            if name in by_command:
                file = str(folder / f"{name}.sqlite")
                run(capsys, "sandbox", "export", file, "--sandbox", name, "--url", emulator.url)
                run(capsys, "sandbox", "create", name, "--url", proxy)
                run(capsys, "sandbox", "import", file, "--sandbox", name, "--url", proxy)
                run(capsys, "sandbox", "delete", name, "--url", emulator.url)
                continue
            path = f"{ROOT}/{name}"
            content = http.get(f"{emulator.url}{path}/export").content
            http.put(f"{proxy}{path}").raise_for_status()
            http.post(f"{proxy}{path}/import", content=content).raise_for_status()
            http.delete(f"{emulator.url}{path}").raise_for_status()


def test_files_agree() -> None:
    """The files for Docker and Kubernetes start the servers that the configuration of nginx names."""
    names = re.findall(r"server (outlook-\d):4365", (DEPLOY / "nginx.conf").read_text())
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    (stateful,) = (document for document in documents if document["kind"] == "StatefulSet")
    services = {
        document["metadata"]["name"]: document["spec"] for document in documents if document["kind"] == "Service"
    }

    assert ["outlook-0", "outlook-1", "outlook-2"] == names
    assert {*names, "outlook"} == set(compose["services"])
    assert len(names) == stateful["spec"]["replicas"]
    assert stateful["spec"]["serviceName"] in services
    # nginx looks a name up once: what it leads to must keep its address, and be the same server.
    pods = [services[name]["selector"]["statefulset.kubernetes.io/pod-name"] for name in names]
    assert [f"{stateful['metadata']['name']}-{number}" for number in range(3)] == pods
    assert 3 == len({compose["services"][name]["networks"]["default"]["ipv4_address"] for name in names})
    environments = [service.get("environment", {}) for service in compose["services"].values()]
    assert 3 == sum(values.get("OUTLOOK_EMULATOR_CONNECTION_IDS") == "sandbox" for values in environments)
