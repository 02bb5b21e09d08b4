"""Emulators that break what all operations share: errors, headers, limits, OData."""

from tests.contract.broken.swap import Swap

SWAPS = (
    Swap(
        "a missing link in lists",
        "wire.metadata_convert",
        '"@odata.nextLink": None, ',
        "",
    ),
    Swap(
        "an order that ascends always",
        "odata",
        '(match[2] or "").lower() == "desc")',
        "False)",
    ),
    Swap(
        "a negative top that is accepted",
        "odata",
        "if number is not None and number < 0:",
        "if False:",
    ),
    Swap(
        "a fixed window for a sliding one",
        "traffic.limits",
        "while instants and instants[0] <= start:",
        "while instants and instants[-1] // period < now // period:",
    ),
    Swap(
        "a limit that is off by one",
        "traffic.limits",
        ">= limits.max_calls > 0:",
        "> limits.max_calls > 0:",
    ),
    Swap(
        "a Retry-After that is a second short",
        "traffic.limits",
        "raise CallsExceeded(-(-wait // _SECOND))",
        "raise CallsExceeded(max(0, wait // _SECOND - 1))",
    ),
    Swap(
        "errors without a request id",
        "server.connector.error_responses",
        'message = f"{error.message}\\r\\nclientRequestId: {request_id}"',
        "message = error.message",
    ),
    Swap(
        "a 405 without Allow",
        "server.connector.error_responses",
        '        headers.append((b"allow", error.allow.encode("ascii")))',
        "        pass",
    ),
    Swap(
        "errors without an original message",
        "server.connector.error_responses",
        ', "originalMessage": error.original}',
        "}",
    ),
    Swap(
        "statusCode for status",
        "server.connector.error_responses",
        '{"status": error.status, "message": message}',
        '{"statusCode": error.status, "message": message}',
    ),
    Swap(
        "responses that may be kept",
        "server.connector.exchange",
        '    (b"cache-control", b"no-store, no-cache"),\n',
        "",
    ),
    Swap(
        "a gateway error with status",
        "server.connector.error_responses",
        '{"statusCode": error.status, "message": error.message}',
        '{"status": error.status, "message": error.message}',
    ),
    Swap(
        "an error without the id of the service",
        "server.connector.error_responses",
        "if error.from_store and service_id:",
        "if False:",
    ),
    Swap(
        "a missing item with another text",
        "errors",
        '"The specified object was not found in the store."',
        '"The object was not found."',
    ),
    Swap(
        "a malformed id that is not found",
        "errors",
        '    code = "ErrorInvalidIdMalformed"\n',
        '    code = "ErrorItemNotFound"\n    status = 404\n',
    ),
    Swap(
        "an unknown folder that is an unknown item",
        "errors",
        '    code = "ErrorFolderNotFound"\n',
        '    code = "ErrorItemNotFound"\n',
    ),
    Swap(
        "an unknown folder with another text",
        "errors",
        '"The specified folder could not be found in the store."',
        '"There is no such folder."',
    ),
    Swap(
        "a denied mailbox with another text",
        "errors",
        '"Access is denied. Check credentials and try again."',
        '"Denied."',
    ),
    Swap(
        "a denied sender with another code",
        "errors",
        '    code = "ErrorSendAsDenied"\n',
        '    code = "ErrorAccessDenied"\n',
    ),
    Swap(
        "a missing credential that is forbidden",
        "errors",
        "    status = 401\n    # Recorded on another",
        "    status = 403\n    # Recorded on another",
    ),
    Swap(
        "throttling without Retry-After",
        "server.connector.error_responses",
        "    if error.retry_after is not None:\n",
        "    if False:\n",
    ),
    Swap(
        "a limit for all connections together",
        "traffic.limits",
        "limits, use = self._limits, self._uses.get(connection_id)",
        'connection_id = ""\n        limits, use = self._limits, self._uses.get(connection_id)',
    ),
    Swap(
        "refused calls that count",
        "traffic.limits",
        'counts_refused = limits.refused_calls == "count"',
        "counts_refused = True",
    ),
    Swap(
        "a limit of requests at once that is off by one",
        "traffic.limits",
        "if use.requests >= limits.max_concurrent > 0:",
        "if use.requests > limits.max_concurrent > 0:",
    ),
)
