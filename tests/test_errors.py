"""The tree of errors: its diagram is complete, and every error has a response body."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from outlook_emulator import errors
from outlook_emulator.errors import (
    BadGateway,
    CallsExceeded,
    ConnectorError,
    Form,
    GatewayPolicy,
    Injected,
    InternalError,
    InvalidField,
    InvalidId,
    InvalidRecipients,
    InvalidRequest,
    MethodNotAllowed,
    RenewalFailed,
    ServerStops,
    StorageUnavailable,
    TimedOut,
    TokenExpired,
    TooManyConnections,
    Unauthorized,
    WrongAudience,
)
from outlook_emulator.server.connector.error_responses import error_body

_LINE = re.compile(r"(?P<lead>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<status>\d{3})(?: +(?P<code>\w+))?")
TREE = [line for line in map(_LINE.fullmatch, (errors.__doc__ or "").splitlines()) if line]
CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ConnectorError)]
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "TooManyEntries": ("email_addresses", 4, 3),
    "InvalidField": ("anything", "must not be 'ä\0'."),
    "InvalidProperty": ("anything", "must not be 'ä\0'."),
    "OccurrenceCrossing": (),
    "MessageTooLarge": (5001, 5000),
    "InlineImageTooLarge": (1001, 1000),
    "AttachmentWithoutContent": (),
    "EncryptedReply": (),
    "Unauthorized": (),
    "MailboxDenied": ("mailbox_address", "a@b.c"),
    "BadSignature": ("state", "is not valid."),
    "NotFound": (),
    "MessageNotFound": (),
    "InternalError": (),
    "MethodNotAllowed": ("PUT", ["POST", "GET"]),
    "MisdirectedRequest": ("evil.example",),
    "BodyTooLarge": (100,),
    "StartedOver": (),
    "ServerStops": (),
    "ConnectionUncertain": ("me", "box", "its file is damaged"),
    "SandboxUnusable": ("box", "its file is damaged"),
    "SandboxEdited": ("box", "its table 'event' has an invalid row"),
    "InvalidHttp": (),
    "TooManyConnections": (),
    "HeadersTooLarge": (1000,),
    "RequestTimeout": (30,),
    "CallsExceeded": (57,),
    "RenewalFailed": (),
    "TimedOut": (),
    "TokenExpired": (),
    "SearchUnavailable": (),
    "Injected": (400, Form.CONNECTOR, "Anything", "Any"),
    "HeaderRequired": ("x-a", "something"),
    "ForeignUrl": ("The header 'x-a'", "lead here", "http://x"),
    "UnknownMethod": ("The header 'x-a'", ["GET", "POST"], "DANCE"),
    "MissingApiVersion": (),
    "WrongAudience": ("https://a", ["https://b"]),
    "AuthenticationFailed": (),
    "PartsLeftOut": ("Anything", []),
}


def create_error(kind: type[ConnectorError]) -> ConnectorError:
    return kind(*ARGUMENTS.get(kind.__name__, ("Anything 'ä\0'",)))


def parents() -> dict[str, str | None]:
    """Return the parent of each class in the diagram, from the indentation of its line."""
    parent_of: dict[str, str | None] = {}
    above: list[str] = []
    for line in TREE:
        depth = len(line["lead"]) // 4
        parent_of[line["name"]] = above[depth - 1] if depth else None
        above[depth:] = [line["name"]]
    return parent_of


def test_every_class_is_in_the_diagram() -> None:
    """The diagram contains every class exactly once, and no other name."""
    assert sorted(error_class.__name__ for error_class in CLASSES) == sorted(line["name"] for line in TREE)


@pytest.mark.parametrize("line", TREE, ids=lambda line: line["name"])
def test_diagram(line: re.Match[str]) -> None:
    """Each line of the diagram has the class's status and code and is below its parent."""
    kind = getattr(errors, line["name"])
    parent = parents()[line["name"]]

    assert (int(line["status"]), line["code"]) == (kind.status, create_error(kind).code if parent else None)
    assert kind.__base__ is (getattr(errors, parent) if parent else Exception)


@pytest.mark.parametrize(
    "kind",
    [error_class for error_class in CLASSES if error_class.form is Form.CONNECTOR and error_class.code],
    ids=lambda kind: kind.__name__,
)
def test_every_class_renders(kind: type[ConnectorError]) -> None:
    """Every error is rendered as JSON in the connector's shape, including the order of keys."""
    error = create_error(kind)
    body = orjson.loads(orjson.dumps(error_body(error, "request-1", "service-1", "somewhere")))
    detail = {"message": error.message, "code": error.code, "originalMessage": error.original}

    assert list(body) == ["status", "message", "error", "source"]
    assert (error.status, "somewhere") == (body["status"], body["source"])
    service = "\r\nserviceRequestId: service-1" if error.from_store else ""
    assert f"{error.message}\r\nclientRequestId: request-1{service}" == body["message"]
    assert list(body["error"]) == list(detail)
    assert body["error"] == detail


@pytest.mark.parametrize(
    "error", [Unauthorized(), WrongAudience("a", ["b"]), TokenExpired()], ids=lambda error: type(error).__name__
)
def test_unauthorized(error: ConnectorError) -> None:
    """A 401 names no request, and its error has a message only (recorded from another connector of the same base)."""
    body = error_body(error, "request-1", "service-1", "somewhere")

    assert [
        ("status", 401),
        ("message", error.message),
        ("error", {"message": error.message}),
        ("source", "somewhere"),
    ] == list(body.items())


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_status(kind: type[ConnectorError]) -> None:
    """Every error has a 4xx status, except internal errors, outages, and what was recorded as 500."""
    waiting = (ServerStops, StorageUnavailable, TooManyConnections)
    outages = (InternalError, BadGateway, TimedOut, GatewayPolicy, RenewalFailed, *waiting)

    assert kind.status in range(400, 500) or issubclass(kind, outages)


def test_only_the_gateway_has_no_code() -> None:
    """Only errors of the gateway and a missing credential have no code."""
    codeless = {
        "Unauthorized",
        "WrongAudience",
        "TokenExpired",
        "TimedOut",
        "TooManyRequests",
        "CallsExceeded",
        "TooManyAtOnce",
        "RequestTimeout",
        "HeadersTooLarge",
        "InvalidHttp",
        "TooManyConnections",
    }
    codeless |= {"GatewayPolicy", "InlineImageTooLarge", "AttachmentWithoutContent"}

    assert codeless == {error_class.__name__ for error_class in CLASSES if error_class.code is None}


def test_gateway_errors() -> None:
    """Throttling, timeouts and bad gateways have the recorded or documented bodies."""
    inner = {"status": 502, "message": "Gone\r\nclientRequestId: r", "source": "s"}
    wrapped = {"code": 502, "source": "s", "clientRequestId": "r", "message": "BadGateway", "innerError": inner}

    assert error_body(CallsExceeded(57), "r", "", "s") == {
        "statusCode": 429,
        "message": "Rate limit is exceeded. Try again in 57 seconds.",
    }
    assert error_body(TimedOut(), "r", "", "s") == {"status": 504, "message": "Request failed. Try again later"}
    assert error_body(BadGateway("Gone"), "r", "", "s") == {"error": wrapped}
    assert error_body(Injected(418, Form.BARE, "Tea", None), "r", "", "s") == {"status": 418, "message": "Tea"}


def test_an_error_of_a_gateway_policy() -> None:
    """The body of a failed policy has the recorded members, in order; the status is an integer as `code`.

    Recorded from the Office 365 twin: Azure/LogicAppsUX 6860.
    """
    body = error_body(GatewayPolicy("Too much.", r"choose[6]\when[1]"), "r", "service", "s")

    assert list(body) == ["error"]
    assert list(body["error"].items()) == [
        ("code", 500),
        ("message", "Too much."),
        ("source", "s"),
        ("path", r"choose[6]\when[1]"),
        ("policyId", ""),
        ("clientRequestId", "r"),
    ]


@pytest.mark.parametrize("name", ["FolderNotFound", "NoSuchOperation", "MethodNotAllowed"])
def test_long_names_are_cut(name: str) -> None:
    """A long name from the request is cut in the error."""
    kind = getattr(errors, name)
    error = kind("x" * 100_000, ["GET"]) if kind is MethodNotAllowed else kind("x" * 100_000)

    assert len(error.message) < 300


def test_renaming_a_field() -> None:
    """An error about a domain field is renamed to the client's name for it, and quoted values stay unchanged."""
    error = InvalidField("top", "must not be 'top'.")

    error.rename("query parameter", "$top")

    assert error.message == error.original == "The query parameter '$top' must not be 'top'."


def test_renaming_without_a_field() -> None:
    """An error without a domain field keeps its text."""
    error = InvalidRequest("No 'top'.")

    error.rename("query parameter", "$top")

    assert error.message == "No 'top'."


def test_renaming_an_id() -> None:
    """An error about a malformed id has the client's name for it."""
    error = InvalidId("message_id")

    error.rename("path parameter", "messageId")

    assert (error.message, error.original) == ("Id is malformed.", "Id is malformed. (messageId)")


def test_allow() -> None:
    """The allowed methods are sorted and separated as in the Allow header."""
    assert MethodNotAllowed("PUT", {"POST": 1, "GET": 2}).allow == "GET, POST"


@pytest.mark.parametrize(
    ("address", "expected"), [("x", "Recipient 'x' is not resolved"), (None, "contains no recipients")]
)
def test_recipients(address: str | None, expected: str) -> None:
    """Invalid and missing recipients have different texts of the mail service."""
    error = InvalidRecipients(address)

    assert error.message == "One or more recipients are invalid."
    assert error.original.startswith("At least one recipient is not valid., ")
    assert expected in error.original
