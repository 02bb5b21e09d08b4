"""Every error that a client can see, with its status, code and text.

ConnectorError                  400
├── InvalidRequest              400  ErrorInvalidRequest
│   ├── InvalidField            400  ErrorInvalidRequest
│   │   └── InvalidProperty     400  ErrorPropertyValidationFailure
│   ├── OccurrenceCrossing      400  ErrorOccurrenceCrossingBoundary
│   ├── RefusedByService        400  ErrorInvalidRequest
│   ├── InvalidRecipients       400  ErrorInvalidRecipients
│   ├── InvalidId               400  ErrorInvalidIdMalformed
│   ├── TooManyEntries          400  ErrorInvalidProperty
│   ├── MessageTooLarge         400  ErrorMessageSizeExceeded
│   ├── EncryptedReply          400  ErrorInvalidOperation
│   ├── HeaderRequired          400  ErrorInvalidRequest
│   ├── ContentHeader           400  ErrorInvalidRequest
│   ├── ForeignUrl              400  ErrorInvalidRequest
│   ├── UnknownMethod           400  ErrorInvalidRequest
│   ├── PartsLeftOut            400  ErrorInvalidRequest
│   ├── TooMuchContent          413  ContentTooLarge
│   └── MissingApiVersion       400  MissingApiVersionParameter
├── Unauthorized                401
│   ├── WrongAudience           401
│   ├── AuthenticationFailed    401  AuthenticationFailed
│   └── AdminTokenRequired      401  Unauthorized
├── AccessDenied                403  ErrorAccessDenied
│   ├── MailboxDenied           403  ErrorAccessDenied
│   ├── SendAsDenied            403  ErrorSendAsDenied
│   └── BadSignature            403  ErrorAccessDenied
├── NotFound                    404  ErrorItemNotFound
│   ├── MessageNotFound         404  ErrorItemNotFound
│   ├── FolderNotFound          404  ErrorFolderNotFound
│   └── NoSuchOperation         404  ResourceNotFound
├── MethodNotAllowed            405  MethodNotAllowed
├── NothingCame                 408  Timeout
├── RequestTimeout              408
├── Conflict                    409  Conflict
│   └── StartedOver             409  Conflict
├── MisdirectedRequest          421  MisdirectedRequest
├── BodyTooLarge                413  RequestBodyTooLarge
├── HeadersTooLarge             431
├── InvalidHttp                 400
├── TooManyRequests             429
│   ├── CallsExceeded           429
│   └── TooManyAtOnce           429
├── InternalError               500  InternalServerError
├── GatewayPolicy               500
│   ├── InlineImageTooLarge     500
│   └── AttachmentWithoutContent 500
├── RenewalFailed               500  InternalServerError
├── BadGateway                  502  BadGateway
│   └── SearchUnavailable       503  ServiceUnavailable
├── TimedOut                    504
├── ServerStops                 503  ServiceUnavailable
├── StorageUnavailable          503  ServiceUnavailable
│   ├── SandboxUnusable         503  ServiceUnavailable
│   ├── SandboxEdited           503  ServiceUnavailable
│   ├── ConnectionUncertain     503  ServiceUnavailable
│   └── StorageFull             507  InsufficientStorage
├── TooManyConnections          503
├── TokenExpired                401
└── Injected                    400  Any

ErrorItemNotFound, ErrorInvalidRequest and ErrorInvalidRecipients were recorded on the sibling connector, the
401 texts and the gateway's forms come from public reports; the other codes are Exchange's own names and inferred.

`message` is the friendly text of a recording, without additions of ours: clients compare it. What the mail service
says, and which value of the request is meant, is in `originalMessage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any


class Form(Enum):
    """The JSON form of an error.

    The connector's own; that of the gateway before it, around it, or of a policy that the gateway applies; or status
    and text alone.
    """

    CONNECTOR = "connector"
    GATEWAY = "gateway"
    WRAPPED = "wrapped"
    POLICY = "policy"
    BARE = "bare"


def joined(*texts: str) -> str:
    """Several texts of the mail service as `originalMessage` holds them: each ends with a period (recorded)."""
    return ", ".join(texts)


class ConnectorError(Exception):
    """An error that a client sees. `message` is the connector's text, `original` the mail service's if that differs.

    Without a `code` the response has none either: errors of the gateway, and a missing credential, come without.
    """

    status = 400
    code: str | None = "ErrorInvalidRequest"
    form = Form.CONNECTOR
    retry_after: int | None = None
    """The `Retry-After` of the response, in seconds."""
    from_store = False
    """Whether the error comes from the mail service behind the connector. Its text then names two request ids."""
    policy_path = ""
    """Where the gateway's policies failed, such as `choose[6]\\when[1]`; only the form of a policy shows it."""
    field: str | None = None
    """The domain's name of the refused value, None where the error is about no single one; see `rename`."""
    hint = ""
    """What to do, where the connector's own text does not say it; a header and the journal show it."""
    problem = ""
    """What is wrong with the field: it continues a sentence that begins with the field's name."""

    def __init__(self, message: str, original: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.original = original or message

    def rename(self, place: str, name: str) -> None:
        """Call the refused field by the client's `name`; `place` says where it was sent, such as "query parameter"."""
        if self.problem:
            self.message = self.original = f"The {place} '{name}' {self.problem}"


class InvalidRequest(ConnectorError):
    """A request that is not valid; `message` names the property or parameter."""


class InvalidField(InvalidRequest):
    """A value that the domain refuses. `problem` continues a sentence that begins with the name of `field`.

    `InvalidField("top", "must not be negative.")` reads "'top' must not be negative.", and once renamed "The query
    parameter 'top' must not be negative."
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"'{field}' {problem}")
        self.field = field
        self.problem = problem


class InvalidProperty(InvalidField):
    """A value that the mail service refuses, such as an unknown time zone.

    Code and text are recorded from the mail service, and were seen through the connector of a workflow. They name no
    property; that is our addition to the text of the mail service.
    """

    code = "ErrorPropertyValidationFailure"
    from_store = True

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self._show(f"'{field}' {problem}")

    def rename(self, place: str, name: str) -> None:
        self._show(f"The {place} '{name}' {self.problem}")

    def _show(self, problem: str) -> None:
        self.message = "At least one property failed validation."
        self.original = joined(self.message, problem)


class OccurrenceCrossing(InvalidRequest):
    """An occurrence of a series that is moved onto or over its neighbour (text from the vendor's documentation)."""

    code = "ErrorOccurrenceCrossingBoundary"
    from_store = True

    def __init__(self) -> None:
        super().__init__("Modified occurrence is crossing or overlapping adjacent occurrence.")


class RefusedByService(InvalidRequest):
    """A request that the mail service itself refuses; `reason` is a sentence of its own."""

    from_store = True

    def __init__(self, reason: str) -> None:
        # The service begins each of these texts so (recorded for views, all-day events and responses).
        super().__init__(f"Your request can't be completed. {reason}")


class InvalidRecipients(InvalidRequest):
    """A recipient that is not a mail address; without an `address`, a mail without any recipient.

    All texts are recorded (a public runbook, and reports of users of the mail service behind the connector).
    """

    code = "ErrorInvalidRecipients"
    from_store = True

    def __init__(self, address: str | None = None) -> None:
        problem = "A message can't be sent because it contains no recipients."
        if address is not None:
            problem = (
                f"Recipient '{address}' is not resolved. All recipients must be resolved before a message can be"
                " submitted."
            )
        super().__init__("One or more recipients are invalid.", joined("At least one recipient is not valid.", problem))
        self.address = address


class TooManyEntries(InvalidRequest):
    """A list of a contact with more entries than the mail service keeps; text and code as recorded on Graph."""

    code = "ErrorInvalidProperty"
    from_store = True

    def __init__(self, field: str, count: int, most: int) -> None:
        self.field, self.count, self.most = field, count, most
        super().__init__(self._text(field))

    def rename(self, place: str, name: str) -> None:
        self.message = self.original = self._text(name)

    def _text(self, name: str) -> str:
        count = f"The multi value property {name} has {self.count} entries"
        return f"{count}, that exceeds the max allowed value of {self.most}"


class InvalidId(InvalidRequest):
    """An id that no mailbox could have issued."""

    code = "ErrorInvalidIdMalformed"
    from_store = True

    def __init__(self, field: str) -> None:
        # Clients compare the first text, so the name of the parameter is in the second one.
        super().__init__("Id is malformed.", f"Id is malformed. ({field})")
        self.field = field

    def rename(self, place: str, name: str) -> None:
        self.original = f"Id is malformed. ({name})"


class MessageTooLarge(InvalidRequest):
    """A mail of `size` bytes of content, above the connector's limit (the service's own text, from public reports)."""

    code = "ErrorMessageSizeExceeded"
    from_store = True

    def __init__(self, size: int, limit: int) -> None:
        text = "The message exceeds the maximum supported size."
        super().__init__(text, joined(text, f"It has {size} bytes of content; at most {limit} are allowed."))


class EncryptedReply(InvalidRequest):
    """Replying to an encrypted mail: documented to fail; the exact body is not, so code and text are inferred."""

    code = "ErrorInvalidOperation"
    from_store = True

    def __init__(self) -> None:
        super().__init__("The request has failed. Replying to an encrypted message isn't supported.")


class HeaderRequired(InvalidRequest):
    """A request without a header that says what it is for."""

    def __init__(self, name: str, meaning: str) -> None:
        super().__init__(f"The header '{name}' is required: it holds {meaning}.")


class ContentHeader(InvalidRequest):
    """An inner request with headers about its body: refused (recorded); the text is inferred."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The property 'request.headers' must not contain '{name[:100]}': Content headers are not allowed."
        )


class ForeignUrl(InvalidRequest):
    """A URL that does not lead to a connection; `where` says where it was sent."""

    def __init__(self, where: str, expected: str, url: str) -> None:
        super().__init__(f"{where} must {expected}, not '{url[:200]}'.")


class UnknownMethod(InvalidRequest):
    """A method that no operation has; `where` says where it was sent."""

    def __init__(self, where: str, methods: Iterable[str], text: str) -> None:
        super().__init__(f"{where} must be one of {', '.join(methods)}, not '{text[:20]}'.")


class MissingApiVersion(InvalidRequest):
    """A request to the management API without a version; code and text are the API's own."""

    code = "MissingApiVersionParameter"

    def __init__(self) -> None:
        super().__init__("The api-version query parameter (?api-version=) is required for all requests.")


class Unauthorized(ConnectorError):
    """No valid credential (text and form recorded on other connectors of the same gateway)."""

    status = 401
    # Recorded on another connector of the same base: `error` holds the message alone.
    code: str | None = None

    def __init__(
        self, message: str = "The connection does not contain an access token. Please edit the connection and login."
    ) -> None:
        super().__init__(message)


class WrongAudience(Unauthorized):
    """An access token that was issued for another service (text inferred)."""

    def __init__(self, audience: str, accepted: Iterable[str]) -> None:
        super().__init__(
            f"The access token has the audience '{audience[:200]}'; the connector accepts {', '.join(accepted)}."
        )


class AuthenticationFailed(Unauthorized):
    """No valid credential in a request to the management API; the code is the API's own, the text is inferred."""

    code = "AuthenticationFailed"

    def __init__(self) -> None:
        super().__init__("Authentication failed. The 'Authorization' header is missing or has no valid credential.")


class AdminTokenRequired(Unauthorized):
    """A request to the admin API without its token, or with a wrong one. The text never shows the token."""

    code = "Unauthorized"

    def __init__(
        self,
        message: str = "The admin API requires its token: send the header 'Authorization: Bearer TOKEN'."
        " On the command line, set --token or OUTLOOK_EMULATOR_ADMIN_TOKEN.",
    ) -> None:
        super().__init__(message)


class AccessDenied(ConnectorError):
    """The connection has no access to what it named."""

    status = 403
    code = "ErrorAccessDenied"
    from_store = True


class MailboxDenied(AccessDenied):
    """The connection was not granted the mailbox that a `field` names."""

    def __init__(self, field: str, address: str) -> None:
        # Exchange's own text; no recording shows this refusal by the connector.
        super().__init__("Access is denied. Check credentials and try again.")
        self.field, self.address = field, address
        self.rename("value", field)

    def rename(self, place: str, name: str) -> None:
        self.original = f"{self.message} ({name}: {self.address})"


class SendAsDenied(AccessDenied):
    """The connection may not send from that address."""

    code = "ErrorSendAsDenied"

    def __init__(self, address: str) -> None:
        text = (
            "The user account which was used to submit this request does not have the right to send mail on behalf of"
            " the specified sending account."
        )
        # The service's own text ends like this (Microsoft Graph's documentation), so the address comes before it.
        super().__init__(text, f"(From: {address}) {joined(text, 'Cannot submit message.')}")


class BadSignature(AccessDenied):
    """A link that this server did not sign, or that was changed."""

    from_store = False

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"'{field}' {problem}")
        self.field = field
        self.problem = problem


class NotFound(ConnectorError):
    """This mailbox has nothing with that id."""

    status = 404
    code = "ErrorItemNotFound"
    from_store = True

    def __init__(
        self,
        # Recorded from the Office 365 twin, for an event that is gone.
        message: str = "The specified object was not found in the store.",
        original: str | None = None,
    ) -> None:
        super().__init__(message, original)


class MessageNotFound(NotFound):
    """This mailbox has no mail with that id.

    The service's text is recorded on Microsoft Graph; that the connector hands it on is inferred.
    """

    def __init__(self) -> None:
        super().__init__()
        self.original = joined(self.message, "The process failed to get the correct properties.")


class FolderNotFound(NotFound):
    """This mailbox has no folder of that name, path or id."""

    code = "ErrorFolderNotFound"

    def __init__(self, folder: str) -> None:
        # Code and text are Exchange's own, from users' reports; no recording names an unknown folder.
        text = "The specified folder could not be found in the store."
        super().__init__(text, f"{text} ('{folder[:200]}')")


class NoSuchOperation(NotFound):
    """No operation of the connector has this path."""

    code = "ResourceNotFound"
    from_store = False

    def __init__(self, path: str, hint: str = "") -> None:
        text = f"Resource not found: '{path[:200]}' is not a path of this connector."
        super().__init__(f"{text} {hint}" if hint else text)


class MethodNotAllowed(ConnectorError):
    """The path does not have this method; `allow` lists those that it has."""

    status = 405
    code = "MethodNotAllowed"

    def __init__(self, method: str, allow: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allow))
        super().__init__(f"The method {method[:20]} is not allowed here. Allowed: {self.allow}.")


class NothingCame(ConnectorError):
    """What a client waited for did not happen in time. `near_misses` is what did, as JSON, closest first."""

    status = 408
    code = "Timeout"

    def __init__(self, message: str, near_misses: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.near_misses = near_misses


class RequestTimeout(ConnectorError):
    """A client does not send the rest of its request (status of the standard; form and text are inferred)."""

    status = 408
    code = None
    form = Form.GATEWAY

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The rest of the request did not come in time ({seconds:g} s).")


class HeadersTooLarge(ConnectorError):
    """URL and headers above the server's limit (status of the standard; form and text are inferred)."""

    status = 431
    code = None
    form = Form.GATEWAY

    def __init__(self, limit: int) -> None:
        super().__init__(f"The URL and the headers of the request are larger than {limit} bytes.")


class InvalidHttp(ConnectorError):
    """Bytes that are no HTTP request (status of the standard; form and text are inferred)."""

    status = 400
    code = None
    form = Form.GATEWAY

    def __init__(self) -> None:
        super().__init__("The bytes that were sent are no valid HTTP request.")


class TooManyConnections(ConnectorError):
    """All connections that the server may hold are in use (form and text are inferred)."""

    status = 503
    code = None
    form = Form.GATEWAY
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("All connections of this server are in use.")


class PartsLeftOut(InvalidRequest):
    """A strict import of a file of which parts would be left out. `skipped` lists them, as JSON."""

    def __init__(self, message: str, skipped: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.skipped = skipped


class Conflict(ConnectorError):
    """The request contradicts what is there, such as a name that is taken."""

    status = 409
    code = "Conflict"


class StartedOver(Conflict):
    """The sandbox of a waiting request was reset or deleted."""

    def __init__(self) -> None:
        super().__init__("The sandbox was reset or deleted while this request waited.")


class StorageUnavailable(ConnectorError):
    """The emulator cannot read or write its data; `reason` says why. It is ours: the connector has no disk."""

    status = 503
    code = "ServiceUnavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The emulator cannot use its data: {reason}.")


class StorageFull(StorageUnavailable):
    """There is no room for what would have to be written; the request had no effect."""

    status = 507
    code = "InsufficientStorage"


class SandboxUnusable(StorageUnavailable):
    """The file of a sandbox cannot be used, so neither can the sandbox."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the sandbox '{name}' cannot be used, because {problem}")


class SandboxEdited(StorageUnavailable):
    """The request met a row in the file of a sandbox that the emulator never writes and cannot read."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"the file of the sandbox '{name}' must have been changed by another program, because {problem}"
        )


class ConnectionUncertain(StorageUnavailable):
    """A connection that no sandbox has, but that may be in a file that cannot be read."""

    def __init__(self, id: str, name: str, problem: str) -> None:
        super().__init__(
            f"the connection '{id[:130]}' may belong to the sandbox '{name}', whose file cannot be used, because"
            f" {problem}; delete the sandbox '{name}', or move its file away and restart the emulator"
        )


class ServerStops(ConnectorError):
    """The emulator stops while the request waits."""

    status = 503
    code = "ServiceUnavailable"

    def __init__(self) -> None:
        super().__init__("The emulator stopped while this request waited.")


class MisdirectedRequest(ConnectorError):
    """A request under a host name that is not this server's, as a page sends it after it has rebound its name."""

    status = 421
    code = "MisdirectedRequest"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This emulator is not served under the host name '{host[:200]}'. Use localhost, or start it with"
            " --allowed-hosts (or OUTLOOK_EMULATOR_ALLOWED_HOSTS)."
        )


class BodyTooLarge(ConnectorError):
    """A request body above the server's limit."""

    status = 413
    code = "RequestBodyTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes.")


class TooMuchContent(InvalidRequest):
    """Content with more parts than the emulator takes; `message` names the limit."""

    status = 413
    code = "ContentTooLarge"


class InternalError(ConnectorError):
    """A defect of the emulator itself."""

    status = 500
    code = "InternalServerError"

    def __init__(self) -> None:
        super().__init__("The emulator failed on this request. Its log has the details.")


class TooManyRequests(ConnectorError):
    """A limit of the connector is exceeded. The gateway answers (form and text recorded)."""

    status = 429
    code = None
    form = Form.GATEWAY


class CallsExceeded(TooManyRequests):
    """A connection made more calls than allowed; its period ends in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Rate limit is exceeded. Try again in {seconds} seconds.")
        self.retry_after = seconds


class TooManyAtOnce(TooManyRequests):
    """More concurrent requests or bytes than the connector accepts; status and text are inferred."""

    retry_after = 1


class GatewayPolicy(ConnectorError):
    """A policy of the gateway failed on the request, before the connector saw it (form recorded on the twin)."""

    status = 500
    code: str | None = None
    form = Form.POLICY

    def __init__(self, message: str, policy_path: str = "") -> None:
        super().__init__(message)
        self.policy_path = policy_path


class InlineImageTooLarge(GatewayPolicy):
    """An inline image in a body, `size` bytes long, above the gateway's limit (text recorded on the twin).

    The recorded size, 1,255,777 bytes, cannot be the length of base64 text, so it is that of the image itself.
    """

    def __init__(self, size: int, limit: int) -> None:
        # "1 MB" was recorded; a limit that a setting changed may be no whole number of them.
        allowed = f"{limit >> 20} MB" if limit and not limit % (1 << 20) else f"{limit:,} bytes"
        super().__init__(f"File size: {size:,} bytes exceeds the maximum allowed size of {allowed}.")


class AttachmentWithoutContent(GatewayPolicy):
    """An attachment whose content is null; text and path were recorded on the twin."""

    def __init__(self) -> None:
        super().__init__(
            "Value cannot be null.\r\nParameter name: s\r\n at System.Convert.FromBase64String(String s)",
            r"choose[6]\when[1]",
        )


class RenewalFailed(ConnectorError):
    """A subscription is renewed without a body. The status is from notes from live use, form and text are inferred."""

    status = 500
    code = "InternalServerError"
    form = Form.WRAPPED

    def __init__(self) -> None:
        super().__init__("The subscription cannot be renewed without a notification URL.")


class BadGateway(ConnectorError):
    """The gateway got no valid response from the mail service (form recorded)."""

    status = 502
    code = "BadGateway"
    form = Form.WRAPPED

    def __init__(self, message: str = "The mail service gave no valid answer.") -> None:
        super().__init__(message)


class SearchUnavailable(BadGateway):
    """The mail service fails on a search: seen on personal mailboxes (notes from live use of Graph, its back end).

    Status and occasion are from the notes; that the gateway wraps it like a 502, and the text, are inferred.
    """

    status = 503
    code = "ServiceUnavailable"

    def __init__(self) -> None:
        super().__init__("The service is unavailable.")


class TimedOut(ConnectorError):
    """The mail service took longer than 60 seconds. The operation may have succeeded. The text is the Learn page's."""

    status = 504
    code = None
    # Both vendor pages show this body bare, unlike other failures behind the gateway.
    form = Form.BARE

    def __init__(self) -> None:
        super().__init__("Request failed. Try again later")


class TokenExpired(ConnectorError):
    """The connection's consent has expired.

    The text is from public reports; that this is its cause, and the form of the other 401, are inferred.
    """

    status = 401
    code = None

    def __init__(self) -> None:
        super().__init__(
            "Error from token exchange: Runtime call was blocked because connection has error status: Enabled| Error"
        )


class Injected(ConnectorError):
    """An error that a fault rule defines. The connector itself never raises it."""

    def __init__(self, status: int, form: Form, message: str, code: str | None) -> None:
        super().__init__(message)
        self.status, self.form, self.code = status, form, code
