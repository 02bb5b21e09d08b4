"""The HTML of a mail as a document of its own, in which nothing runs and which loads nothing by itself.

A page shows it in a sandboxed frame. The policy that comes with the document holds as well where its address is opened
directly.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from starlette.responses import Response

from outlook_emulator.store.records import AttachmentInfo

# Links open in another tab, which only a click of the user can do.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
"""What a frame that shows a mail may do: no scripts, no forms, no refresh, and no navigation of the page around it."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; form-action 'none'; base-uri 'none';"
    f" frame-ancestors 'self'; sandbox {SANDBOX}"
)
_REMOTE = " http: https:"
# Before the mail, whose own styles win, and the first base with a target counts. Most mails are written for white.
_START = (
    '<!doctype html><meta name="color-scheme" content="only light"><base target="_blank">'
    "<style>:root { background: #fff; color: #000; font: 15px/1.5 system-ui, sans-serif; }</style>"
)
# No policy covers preconnections and the like; other elements with these names do nothing that a reader would miss.
_LOADING = re.compile(r"<(?=(?:link|meta|base)[\s/>])", re.IGNORECASE)
_CID = re.compile(r"cid:([^\"'\s<>)]+)", re.IGNORECASE)
_IMAGE_TYPE = re.compile(r"image/[\w.+-]+", re.ASCII)
# Possessive repeats, so that no run of blanks is read twice.
_ELSEWHERE = r"\s*+(?:[\"']|&quot;|&#39;)?+\s*+(?:https?:)?//"
_REMOTE_IMAGE = re.compile(
    r"<(?:img|image|input|video|source|td|th|table|body)\b[^<>]*?\s(?:src|srcset|background|poster|href)\s*+="
    rf"{_ELSEWHERE}|url\({_ELSEWHERE}",
    re.IGNORECASE,
)
_MOST_IMAGES = 32 * 1024 * 1024
"""How many characters the images in a document may have; a mail can refer to the same one many times."""


def has_remote_images(html: str) -> bool:
    """Whether a mail wants to load images from elsewhere."""
    return _REMOTE_IMAGE.search(html) is not None


def respond(
    html: str, files: Sequence[AttachmentInfo], bytes_of: Callable[[int], bytes], with_images: bool
) -> Response:
    """The document of a mail. `files` may be images in it; those from elsewhere are loaded only `with_images`."""
    text = _START + _with_own_images(_LOADING.sub("<x-", html), files, bytes_of)
    headers = {
        "content-security-policy": _POLICY.format(images=_REMOTE if with_images else ""),
        "referrer-policy": "no-referrer",
        "x-dns-prefetch-control": "off",
    }
    return Response(text.encode("utf-8", "replace"), 200, headers, "text/html; charset=utf-8")


def _with_own_images(html: str, files: Sequence[AttachmentInfo], bytes_of: Callable[[int], bytes]) -> str:
    """HTML with the images that came with the mail in it: a sandboxed document has no cookie to fetch them with."""
    images = {file.cid: file for file in files if file.cid and _IMAGE_TYPE.fullmatch(file.content_type)}
    urls: dict[int, str] = {}
    left = _MOST_IMAGES

    def url_of(match: re.Match[str]) -> str:
        nonlocal left
        image = images.get(unquote(match[1]))
        if image is None:
            return match[0]
        if image.id not in urls:
            urls[image.id] = f"data:{image.content_type};base64,{b64encode(bytes_of(image.id)).decode('ascii')}"
        left -= len(urls[image.id])
        return urls[image.id] if left >= 0 else match[0]

    return _CID.sub(url_of, html) if images else html
