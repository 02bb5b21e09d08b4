"""The static files of the pages. Their address holds a digest of all of them, so that browsers may keep them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from outlook_emulator.server.web.page import ROOT

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", "": "text/plain"}
_LONG = "public, max-age=31536000, immutable"


def url_of_file(name: str) -> str:
    """The URL of a static file by its path in `static/`."""
    return f"{ROOT}/static/{_version()}/{name}"


async def respond(request: Request) -> Response:
    """A static file. Files of another version are not kept by the browser."""
    content = _files().get(request.path_params["name"])
    if content is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    is_current = request.path_params["version"] == _version()
    headers = {"cache-control": _LONG if is_current else "no-store"}
    return Response(content, 200, headers, _TYPES[Path(request.path_params["name"]).suffix])


@cache
def _files() -> dict[str, bytes]:
    paths = sorted(path for path in _FOLDER.rglob("*") if path.is_file() and path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): path.read_bytes() for path in paths}


@cache
def _version() -> str:
    digest = sha256()
    for name, content in _files().items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]
