"""Errors as responses: in the form of the connector itself, or in one of the forms of the gateway."""

from __future__ import annotations

from typing import Any

import orjson

from outlook_emulator.errors import ConnectorError, Form, MethodNotAllowed
from outlook_emulator.server.connector.exchange import JSON, WARNING, RawHeaders, Response


def error_response(error: ConnectorError, request_id: str, service_id: str, source: str) -> Response:
    """The response that reports an error."""
    body = orjson.dumps(error_body(error, request_id, service_id, source))
    return Response(error.status, body, headers_of(error))


def headers_of(error: ConnectorError) -> RawHeaders:
    """The headers of an error response."""
    headers = [*JSON]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode("ascii")))
    if error.hint:
        headers.append((WARNING, error.hint.encode("ascii")))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return headers


def error_body(error: ConnectorError, request_id: str, service_id: str, source: str) -> dict[str, Any]:
    """The body of an error response in its form, key order as recorded; errors of the store show `service_id`."""
    if error.form is Form.BARE:
        # A 504 has no more members on the vendor's page.
        return {"status": error.status, "message": error.message}
    if error.form is Form.GATEWAY:
        # The gateway writes `statusCode` where the connector writes `status` (vendor's page about throttling).
        return {"statusCode": error.status, "message": error.message}
    if error.form is Form.WRAPPED:
        return {"error": _wrapped(error, request_id, source)}
    if error.form is Form.POLICY:
        return {"error": _of_policy(error, request_id, source)}
    if error.status == 401 and error.code is None:
        # Recorded on another connector of the same base: the text is alone, and the error repeats it without a code.
        return {"status": 401, "message": error.message, "error": {"message": error.message}, "source": source}
    message = f"{error.message}\r\nclientRequestId: {request_id}"
    if error.from_store and service_id:
        message += f"\r\nserviceRequestId: {service_id}"
    body: dict[str, Any] = {"status": error.status, "message": message}
    if error.code is not None:
        body["error"] = {"message": error.message, "code": error.code, "originalMessage": error.original}
    return body | {"source": source}


def _wrapped(error: ConnectorError, request_id: str, source: str) -> dict[str, Any]:
    return {
        "code": error.status,
        "source": source,
        "clientRequestId": request_id,
        "message": error.code or "InternalServerError",
        "innerError": {
            "status": error.status,
            "message": f"{error.message}\r\nclientRequestId: {request_id}",
            "source": source,
        },
    }


def _of_policy(error: ConnectorError, request_id: str, source: str) -> dict[str, Any]:
    return {
        "code": error.status,
        "message": error.message,
        "source": source,
        "path": error.policy_path,
        "policyId": "",
        "clientRequestId": request_id,
    }
