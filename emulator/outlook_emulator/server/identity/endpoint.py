"""The token endpoint in the form that App Service gives it, so that Azure's client libraries use it unchanged.

Request and response are those of Microsoft's reference "How to use managed identities for App Service"; the texts of
the errors are the emulator's own.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlook_emulator import access_tokens
from outlook_emulator.settings import IDENTITY_PATH

_HEADER = "x-identity-header"
_IDENTITIES = ("client_id", "object_id", "principal_id", "mi_res_id")
"""Parameters that choose one of several identities; each gets tokens of its own."""


def identity_routes(secret: str) -> list[Route]:
    """The route of the token endpoint, none without a secret; callers must send it in `X-IDENTITY-HEADER`."""

    async def respond(request: Request) -> Response:
        header = request.headers.get(_HEADER, "")
        if not hmac.compare_digest(header.encode("latin-1"), secret.encode()):
            return _error(401, "Send the header X-IDENTITY-HEADER with the value of IDENTITY_HEADER.")
        query = request.query_params
        for name in ("api-version", "resource"):
            if not query.get(name):
                return _error(400, f"The query parameter '{name}' is required.")
        identity = next(filter(None, map(query.get, _IDENTITIES)), access_tokens.CLIENT_ID)
        now = datetime.now(UTC)
        resource = query["resource"]
        content = {
            "access_token": access_tokens.issue(resource, now, secret, identity),
            "expires_on": str(int((now + access_tokens.LIFETIME).timestamp())),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": identity,
        }
        return _json(200, content)

    return [Route(IDENTITY_PATH, respond, methods=["GET"])] if secret else []


def _error(status: int, message: str) -> Response:
    return _json(status, {"statusCode": status, "message": message})


def _json(status: int, content: object) -> Response:
    return Response(orjson.dumps(content), status, {"cache-control": "no-store"}, "application/json")
