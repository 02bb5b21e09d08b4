"""Sends generated requests to every operation of a real server: no server error, no traceback, no slow response.

`python -m tests.generated_requests [SECONDS]` starts a server in memory and then one with `--data`, for half of the
time each. It goes through all operations of the connector and of the admin API once, however long that takes, and then
on in random order, with requests that fit the documents or nearly do. Every other one can succeed. It lets state grow:
sandboxes, mails, events, snapshots, faults, subscriptions. It prints each failure with the request, what was sent, and
the operations of which no request succeeded. The test suite sends a few.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from hypothesis import HealthCheck, Phase, given, seed, settings

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.admin.routes import ADMIN, ROOT
from tests.aimed_requests import Target
from tests.server import test_fuzz

SLOW = 1.0
"""How long a response may take, in seconds."""
_EACH = 3
"""How many requests an operation gets at a time."""
_MOST_SANDBOXES = 6
_KEPT = 50
"""How many names of each kind are remembered."""
_SPAN = {"Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}
_POLICY = b'"policyId"'
"""Part of the 500 with which the connector's gateway refuses some attachments and images, as the real one does."""


class Place(NamedTuple):
    """An operation of one of the two documents."""

    document: Any
    base: str
    path: str
    method: str
    parameters: frozenset[str]
    """The names of the parameters in the query."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.base}{self.path}"


class Server:
    """A server in a process of its own, with its log in a file."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._read = 0

    def tracebacks(self) -> list[str]:
        """The tracebacks that the log has got since the last look."""
        text = self._log.read_text(errors="replace")
        new, self._read = text[self._read :], len(text)
        return [part.strip()[-1500:] for part in new.split("Traceback (most recent call last):")[1:]]


@contextmanager
def served(*options: str) -> Iterator[Server]:
    """A server without limits of calls, which makes no callback to anybody else."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0", "--max-calls", "0", *options]
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, text=True, env={**os.environ})
            assert process.stdout is not None
            try:
                facts = dict(word.partition("=")[::2] for word in process.stdout.readline().split())
                yield Server(facts["url"], log)
            finally:
                process.terminate()
                process.communicate(timeout=30)


class Run:
    """What was sent to a server, what failed, and the names that its responses held."""

    def __init__(self, server: Server, random: Random) -> None:
        self.failures: list[str] = []
        self.count = 0
        self.statuses: Counter[int] = Counter()
        self.sent: dict[str, Counter[int]] = {}
        """The statuses of the generated requests, by operation; 0 for no response."""
        self.slowest = (0.0, "")
        self._server = server
        self._random = random
        self._session = requests.Session()
        self._session.headers["Authorization"] = "Bearer token"
        self._session.trust_env = False
        self._target = Target(server.url)
        self._names: dict[str, list[str]] = {"sandbox": ["default"], "connectionId": ["alice"]}
        self._limits = self._json("GET", f"{ROOT}/sandboxes/default/limits")
        del self._limits["connections"]

    def grow(self) -> None:
        """Add something of each kind to a sandbox, and learn the names of all that is there."""
        if len(self._names["sandbox"]) < _MOST_SANDBOXES:
            name = f"s{self._random.getrandbits(24):x}"
            body = {"connections": [{"id": f"{name}-{user}"} for user in ("a", "b")]}
            self._json("PUT", f"{ROOT}/sandboxes/{name}", body)
        self._names["sandbox"] = [box["name"] for box in self._values(f"{ROOT}/sandboxes")] or ["default"]
        sandbox = self._random.choice(self._names["sandbox"])
        root = f"{ROOT}/sandboxes/{quote(sandbox)}"
        ids = [connection["id"] for connection in self._values(f"{root}/connections")]
        if not ids:
            return
        id = self._random.choice(ids)
        self._names |= {"sandbox": [sandbox], "connection": [id], "connectionId": ids, "subscribedConnectionId": ids}
        connection, admin = f"/apim/outlook/{quote(id)}", f"{root}/connections/{quote(id)}"
        callback = {"NotificationUrl": "http://127.0.0.1:9/"}
        file = {"Name": "a.txt", "ContentBytes": "YQ=="}
        mail = {"To": f"me@outlook.com;{id}@outlook.com", "Subject": "s", "Body": "b", "Attachments": [file]}
        self._json("POST", f"{connection}/v2/Mail", mail)
        self._json("POST", f"{connection}{test_fuzz.EVENTS}/items", {"Subject": "s", **_SPAN, "Recurrence": "Weekly"})
        self._json("POST", f"{connection}/datasets/contacts/tables/Contacts/items", {"GivenName": "Ann"})
        self._json("POST", f"{connection}/MailSubscriptionPoke/$subscriptions", callback)
        self._json("POST", f"{connection}/Calendar/EventSubscriptionPoke/$subscriptions", callback)
        for kind in ("approvalmail", "mailwithoptions"):
            self._json("POST", f"{connection}/{kind}/$subscriptions", {**callback, "Message": {"To": f"{id}@x.y"}})
        details = {"callbackUrl": "http://127.0.0.1:9/"}
        trigger = {"properties": {"operationName": "OnNewEmailV2", "notificationDetails": details}}
        self._json("PUT", f"{admin}/triggerConfigs/news", trigger)
        self._json("PUT", f"{root}/snapshots/one")
        self._learn(root, admin, connection)

    def _learn(self, root: str, admin: str, connection: str) -> None:
        for parameter, path, member in (
            ("messageId", f"{admin}/messages", "id"),
            ("event_id", f"{admin}/events", "id"),
            ("outbox_mail", f"{root}/outbox", "id"),
            ("question", f"{root}/questions", "id"),
            ("subscription", f"{admin}/subscriptions", "id"),
            ("state", f"{admin}/subscriptions", "state"),
            ("fault", f"{root}/faults", "name"),
            ("name", f"{root}/snapshots", "name"),
        ):
            self._names[parameter] = [str(row.get(member)) for row in self._values(path)][-_KEPT:]
        contacts = self._values(f"{connection}/datasets/contacts/tables/Contacts/items")
        kinds = ("event_id", "question", "subscription", "messageId")
        ids = [name for kind in kinds for name in self._names[kind]] + [contact["Id"] for contact in contacts]
        self._names |= {"message": self._names["messageId"], "message_id": self._names["messageId"], "id": ids}
        self._names["table"] = ["Calendar", "Contacts"]
        listed = self._values(f"{connection}/v2/Mail?top=5&fetchOnlyUnread=false")
        self._names["attachmentId"] = [file["Id"] for mail in listed for file in mail["Attachments"]]

    def send(self, place: Place, case: Any) -> None:
        """Send a generated request, every other one such that it can succeed."""
        if self.sent.get(place.name, Counter()).total() % 2 == 0:
            self._aim(place, case)
        else:
            self._scatter(case)
        arguments = case.as_transport_kwargs(f"{self._server.url}{place.base}", {"Authorization": "Bearer token"})
        request = self._session.prepare_request(requests.Request(**arguments))
        response = self._check(request)
        self.sent.setdefault(place.name, Counter())[0 if response is None else response.status_code] += 1
        self._undo(case)

    def _scatter(self, case: Any) -> None:
        """Put names of what is there into three of four places of a request."""
        if case.path.endswith("/wait") and isinstance(case.body, dict):
            case.body["timeoutSeconds"] = 0
        for values in (case.path_parameters, case.query):
            for name in values or ():
                if self._names.get(name) and self._random.random() < 0.75:
                    values[name] = self._random.choice(self._names[name])

    def _aim(self, place: Place, case: Any) -> None:
        """Let a request name only what is there, and have a body that is known to be accepted."""
        try:
            values = self._target.values(place.method, place.path, is_admin=place.base == ROOT)
        except (AssertionError, LookupError, ValueError):
            # Such as after a request that has changed a setting; the next ones find it in order again.
            self._scatter(case)
            return
        case.path_parameters = {name: values.get(name, value) for name, value in case.path_parameters.items()}
        case.query = {name: value for name, value in values.items() if name in place.parameters}
        if "state" in case.query and "sig" in values:
            case.query["sig"] = values["sig"]
        case.headers = {}
        body = self._target.body(place.method, place.path)
        if body is not None:
            case.body = body
            case.media_type = "application/json" if isinstance(body, dict) else "application/octet-stream"

    def _undo(self, case: Any) -> None:
        """Take back what would change the responses to all later requests: faults and limits, after they are read."""
        sandbox = quote(str((case.path_parameters or {}).get("sandbox", "")), safe="")
        root = f"{ROOT}/sandboxes/{sandbox}"
        if case.path.endswith("/faults") and case.method == "POST":
            for fault in self._values(f"{root}/faults"):
                self._json("GET", f"{root}/faults/{quote(str(fault.get('name')), safe='')}")
            self._json("DELETE", f"{root}/faults")
        if case.path.endswith("/limits") and case.method == "PATCH":
            self._values(f"{root}/limits")
            self._json("PATCH", f"{root}/limits", self._limits)

    def _values(self, path: str) -> list[Any]:
        values: list[Any] = self._json("GET", path).get("value") or []
        return values

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        request = requests.Request(method, f"{self._server.url}{path}", json=body)
        response = self._check(self._session.prepare_request(request))
        is_json = response is not None and response.content[:1] == b"{"
        return response.json() if response is not None and is_json else {}

    def _check(self, request: Any) -> requests.Response | None:
        """Send a request, and note a server error, a traceback in the log, and a response that is slow twice."""
        shown = f"{request.method} {request.url} {str(request.body)[:500]}"
        for attempt in (1, 2):
            started = time.monotonic()
            try:
                response = self._session.send(request, timeout=60, allow_redirects=False)
            except requests.RequestException as error:
                self.failures.append(f"{type(error).__name__}: {str(error)[:200]}: {shown}")
                return None
            took = time.monotonic() - started
            # On a busy machine, anything may take long once.
            if took < SLOW:
                break
            if attempt == 2:
                self.failures.append(f"{took:.1f} s: {shown}")
        self.count += 1
        self.statuses[response.status_code] += 1
        self.slowest = max(self.slowest, (took, shown[:200]))
        if response.status_code >= 500 and _POLICY not in response.content:
            self.failures.append(f"{response.status_code}: {shown}: {response.text[:300]}")
        self.failures += [f"{traceback}: {shown}" for traceback in self._server.tracebacks()]
        return response


def places() -> list[Place]:
    """All operations."""
    connector, admin = test_fuzz.connector_document(), test_fuzz.admin_document()
    return [
        *(_place(connector, "/apim/outlook", row.full_path, row.method) for row in OPERATIONS),
        *(_place(admin, ROOT, row.path, row.method) for row in ADMIN),
    ]


def _place(document: Any, base: str, path: str, method: str) -> Place:
    declared = document.raw_schema["paths"][path][method.lower()].get("parameters", ())
    names = frozenset(parameter["name"] for parameter in declared if parameter.get("in") == "query")
    return Place(document, base, path, method, names)


def go_on(run: Run, place: Place, number: int, examples: int = _EACH) -> None:
    """Send some requests to an operation; the same ones for the same number."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(test_fuzz.requests(place.document, place.path, place.method))
    def check(case: Any) -> None:
        run.send(place, case)

    check()


def main(seconds: float = 60, first: float = 0) -> int:
    # A generator of requests that is not used up warns.
    warnings.simplefilter("ignore")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for options in ((), ("--data", folder)):
            end, number = time.monotonic() + seconds / 2, int(first)
            with served(*options) as server:
                run = Run(server, Random(number))
                every = places()
                todo: list[Place] = []
                while len(run.sent) < len(every) or time.monotonic() < end:
                    if not todo:
                        todo = Random(number).sample(every, len(every))
                    if number % 8 == 0:
                        run.grow()
                    go_on(run, todo.pop(), number)
                    number += 1
                    for failure in run.failures:
                        print(failure, end="\n\n", flush=True)
                    failures += len(run.failures)
                    run.failures.clear()
            took, what = run.slowest
            print(
                f"{' '.join(options[:1]) or 'in memory'}: {run.count} requests, statuses {sorted(run.statuses.items())}"
            )
            print(f"the slowest took {took * 1000:.0f} ms: {what}")
            fewest = min(statuses.total() for statuses in run.sent.values())
            without = [name for name, sent in run.sent.items() if not any(200 <= status < 300 for status in sent)]
            print(
                f"{len(run.sent)} operations, at least {fewest} requests each; no success of {len(without)}: {without}"
            )
    print(f"{failures} failures")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:3])))
