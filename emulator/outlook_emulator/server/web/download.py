"""Files that pages offer for download."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def download(name: str, content: bytes, media_type: str) -> Response:
    """A response that a browser saves under a name and never shows, whatever the content is."""
    # No path and no control character may reach the file system of whoever saves the file.
    plain = re.sub(r"[\x00-\x1f\x7f/\\\ud800-\udfff]", "_", name).strip(". ") or "file"
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(plain, safe='')}",
        "content-security-policy": _POLICY,
    }
    essence = media_type.partition(";")[0].strip().lower()
    response = Response(content, 200, headers)
    # Set here, because Starlette would add a charset to texts.
    response.headers["content-type"] = essence if _MEDIA_TYPE.fullmatch(essence) else "application/octet-stream"
    return response
