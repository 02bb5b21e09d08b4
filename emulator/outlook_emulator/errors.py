"""Everything that can go wrong, with the status, code and text a caller sees.

ConnectorError                400
├── InvalidRequest            400  ErrorInvalidRequest
│   ├── InvalidField          400  ErrorInvalidRequest
│   ├── InvalidRecipients     400  ErrorInvalidRecipients
│   ├── InvalidId             400  ErrorInvalidIdMalformed
│   ├── MessageTooLarge       400  ErrorMessageSizeExceeded
│   ├── EncryptedReply        400  ErrorInvalidOperation
│   ├── HeaderRequired        400  ErrorInvalidRequest
│   ├── ContentHeader         400  ErrorInvalidRequest
│   ├── ForeignUrl            400  ErrorInvalidRequest
│   ├── UnknownMethod         400  ErrorInvalidRequest
│   └── MissingApiVersion     400  MissingApiVersionParameter
├── Unauthorized              401
│   ├── AuthenticationFailed  401  AuthenticationFailed
│   └── AdminTokenRequired    401  Unauthorized
├── AccessDenied              403  ErrorAccessDenied
│   ├── SendAsDenied          403  ErrorSendAsDenied
│   └── BadSignature          403  ErrorAccessDenied
├── NotFound                  404  ErrorItemNotFound
│   ├── FolderNotFound        404  ErrorFolderNotFound
│   └── NoSuchOperation       404  ResourceNotFound
├── MethodNotAllowed          405  MethodNotAllowed
├── NothingCame               408  Timeout
├── Conflict                  409  Conflict
│   └── StartedOver           409  Conflict
├── BodyTooLarge              413  RequestBodyTooLarge
├── TooManyRequests           429
│   ├── CallsExceeded         429
│   └── TooManyAtOnce         429
├── InternalError             500  InternalServerError
├── BadGateway                502  BadGateway
├── TimedOut                  504
├── TokenExpired              401
└── Injected                  400  Any

ErrorItemNotFound, ErrorInvalidRequest and ErrorInvalidRecipients were recorded on the sibling connector, the
401 texts and the gateway's forms come from public reports; the other codes are Exchange's own names and inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any


class Form(Enum):
    """How a refusal is written: by the connector, by the gateway before it, or by the gateway around it; or bare."""

    CONNECTOR = "connector"
    GATEWAY = "gateway"
    WRAPPED = "wrapped"
    BARE = "bare"


class ConnectorError(Exception):
    """A refusal in the connector's own error shape.

    `message` is the friendly text, `original` the backend's when it differs. A `code` of None leaves out the `error`
    object, as gateway-level refusals do.
    """

    status = 400
    code: str | None = "ErrorInvalidRequest"
    form = Form.CONNECTOR
    retry_after: int | None = None
    """Seconds after which the caller is asked to come again."""
    from_store = False
    """Whether the mail service behind the connector refused, rather than the connector: such bodies name two ids."""
    field: str | None = None
    """The domain's name of the refused value, None where the error is about no single one; see `rename`."""

    def __init__(self, message: str, original: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.original = original or message

    def rename(self, place: str, name: str) -> None:
        """Call the refused field by the client's `name`; `place` says where it was sent, such as "query parameter"."""


class InvalidRequest(ConnectorError):
    """The caller sent something that cannot be read; `message` names the member or parameter."""


class InvalidField(InvalidRequest):
    """A value that the domain refuses. `problem` continues a sentence that begins with the name of `field`.

    `InvalidField("top", "must not be negative.")` reads "'top' must not be negative.", and once renamed "The query
    parameter 'top' must not be negative."
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"'{field}' {problem}")
        self.field = field
        self.problem = problem

    def rename(self, place: str, name: str) -> None:
        self.message = self.original = f"The {place} '{name}' {self.problem}"


class InvalidRecipients(InvalidRequest):
    """A recipient that is not a mail address; without an `address`, a list of recipients without any."""

    code = "ErrorInvalidRecipients"
    from_store = True

    def __init__(self, field: str, address: str | None = None) -> None:
        super().__init__(f"One or more recipients are invalid. ({field})", _unresolved(field, address))
        self.field, self.address = field, address

    def rename(self, place: str, name: str) -> None:
        self.message = f"One or more recipients are invalid. ({name})"
        self.original = _unresolved(name, self.address)


def _unresolved(name: str, address: str | None) -> str:
    if address is None:
        return f"At least one recipient is not valid. {name} names no recipient."
    problem = (
        f"Recipient '{address}' is not resolved. All recipients must be resolved before a message can be submitted."
    )
    return f"At least one recipient is not valid., {problem}"


class InvalidId(InvalidRequest):
    """An id that no mailbox could have issued."""

    code = "ErrorInvalidIdMalformed"
    from_store = True

    def __init__(self, field: str) -> None:
        super().__init__("Id is malformed.", f"Id is malformed. ({field})")
        self.field = field

    def rename(self, place: str, name: str) -> None:
        self.original = f"Id is malformed. ({name})"


class MessageTooLarge(InvalidRequest):
    """A mail, or an inline image in it, above the connector's limit."""

    code = "ErrorMessageSizeExceeded"
    from_store = True


class EncryptedReply(InvalidRequest):
    """Replying to an encrypted mail: documented to fail; the exact body is not, so code and text are inferred."""

    code = "ErrorInvalidOperation"
    from_store = True

    def __init__(self) -> None:
        super().__init__("The request has failed. Replying to an encrypted message isn't supported.")


class HeaderRequired(InvalidRequest):
    """A call that leaves out a header by which it says what it wants."""

    def __init__(self, name: str, meaning: str) -> None:
        super().__init__(f"The header '{name}' is required: it holds {meaning}.")


class ContentHeader(InvalidRequest):
    """A request inside a call that describes its own body by headers: refused (recorded), the text is inferred."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The property 'request.headers' must not hold '{name[:100]}': no Content header is taken here."
        )


class ForeignUrl(InvalidRequest):
    """An address that leads to no connection of this connector; `where` is what holds it."""

    def __init__(self, where: str, expected: str, url: str) -> None:
        super().__init__(f"{where} must {expected}, not '{url[:200]}'.")


class UnknownMethod(InvalidRequest):
    """A method of which no operation of the connector has heard; `where` is what names it."""

    def __init__(self, where: str, methods: Iterable[str], given: str) -> None:
        super().__init__(f"{where} must be one of {', '.join(methods)}, not '{given[:20]}'.")


class MissingApiVersion(InvalidRequest):
    """A call to the management API that does not say of which version; code and text are the API's own."""

    code = "MissingApiVersionParameter"

    def __init__(self) -> None:
        super().__init__("The api-version query parameter (?api-version=) is required for all requests.")


class Unauthorized(ConnectorError):
    """No usable credential."""

    status = 401
    code: str | None = None

    def __init__(
        self, message: str = "The connection does not contain an access token. Please edit the connection and login."
    ) -> None:
        super().__init__(message)


class AuthenticationFailed(Unauthorized):
    """No usable credential in a call to the management API; the code is the API's own, the text inferred."""

    code = "AuthenticationFailed"

    def __init__(self) -> None:
        super().__init__(
            "Authentication failed. The 'Authorization' header is missing, or holds no credential that is taken here."
        )


class AdminTokenRequired(Unauthorized):
    """A call to the admin API without the token it is kept by, or with another; the token itself is never shown."""

    code = "Unauthorized"

    def __init__(
        self, message: str = "The admin API needs its token here: send the header 'Authorization: Bearer TOKEN'."
    ) -> None:
        super().__init__(message)


class AccessDenied(ConnectorError):
    """The connection may not use what it named."""

    status = 403
    code = "ErrorAccessDenied"
    from_store = True


class SendAsDenied(AccessDenied):
    """The connection was not granted the address it wants to send from."""

    code = "ErrorSendAsDenied"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The user account which was used to submit this request does not have the right to send mail on behalf"
            f" of the specified sending account. (From: {address})"
        )


class BadSignature(AccessDenied):
    """A link that this emulator did not sign, or that was changed since."""

    from_store = False


class NotFound(ConnectorError):
    """Nothing with that id lives in this mailbox."""

    status = 404
    code = "ErrorItemNotFound"
    from_store = True

    def __init__(self, message: str = "The specified object was not found in the store.") -> None:
        super().__init__(message)


class FolderNotFound(NotFound):
    """No folder has that name, path or id."""

    code = "ErrorFolderNotFound"

    def __init__(self, folder: str) -> None:
        super().__init__(f"The specified folder could not be found in the store. ('{folder[:200]}')")


class NoSuchOperation(NotFound):
    """No operation of the connector has this path."""

    code = "ResourceNotFound"
    from_store = False

    def __init__(self, path: str) -> None:
        super().__init__(f"Resource not found: '{path[:200]}' is no path of this connector.")


class MethodNotAllowed(ConnectorError):
    """The path exists, but not with this method; `allow` holds those it has."""

    status = 405
    code = "MethodNotAllowed"

    def __init__(self, method: str, allow: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allow))
        super().__init__(f"The method {method[:20]} is not allowed here. Allowed: {self.allow}.")


class NothingCame(ConnectorError):
    """What a caller waited for did not happen in time; `near_misses` is what did, ready for the wire, best first."""

    status = 408
    code = "Timeout"

    def __init__(self, message: str, near_misses: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.near_misses = near_misses


class Conflict(ConnectorError):
    """Something with that name exists already."""

    status = 409
    code = "Conflict"


class StartedOver(Conflict):
    """The world a call waited in was reset or deleted."""

    def __init__(self) -> None:
        super().__init__("The sandbox was reset or deleted while this call waited.")


class BodyTooLarge(ConnectorError):
    """A request body above what the server reads."""

    status = 413
    code = "RequestBodyTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes.")


class InternalError(ConnectorError):
    """A defect of the emulator itself."""

    status = 500
    code = "InternalServerError"

    def __init__(self) -> None:
        super().__init__("The emulator failed on this request. Its log has the details.")


class TooManyRequests(ConnectorError):
    """A limit of the connector on how much may be asked, told by the gateway (form and text recorded)."""

    status = 429
    code = None
    form = Form.GATEWAY


class CallsExceeded(TooManyRequests):
    """More calls of a connection than its window allows; `seconds` are left of it."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Rate limit is exceeded. Try again in {seconds} seconds.")
        self.retry_after = seconds


class TooManyAtOnce(TooManyRequests):
    """More requests or bytes at a time than the connector takes; status and text are inferred."""

    retry_after = 1


class BadGateway(ConnectorError):
    """The gateway got nothing useful from behind it (form recorded)."""

    status = 502
    code = "BadGateway"
    form = Form.WRAPPED

    def __init__(self, message: str = "The mail service gave no valid answer.") -> None:
        super().__init__(message)


class TimedOut(ConnectorError):
    """The mail service took longer than 60 seconds; what was asked may have been done (Learn page, to the letter)."""

    status = 504
    code = None
    form = Form.BARE

    def __init__(self) -> None:
        super().__init__("Request failed. Try again later")


class TokenExpired(ConnectorError):
    """The connection's consent has run out (text from public reports; that this is its cause is inferred)."""

    status = 401
    code = None

    def __init__(self) -> None:
        super().__init__(
            "Error from token exchange: Runtime call was blocked because connection has error status: Enabled| Error"
        )


class Injected(ConnectorError):
    """A refusal that a fault rule puts together; the connector never raises it itself."""

    def __init__(self, status: int, form: Form, message: str, code: str | None) -> None:
        super().__init__(message)
        self.status, self.form, self.code = status, form, code
