"""The key that a connection to the emulator has.

It has the form of a token that expires in the year 2100. The designer of Visual Studio Code reads the expiry of the
keys in `local.settings.json`. It fetches a real key, and with it the real runtime URL, in place of one that has
expired or is not a token.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

_EXPIRY = 4_102_444_800


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


KEY = ".".join(
    _encoded(part)
    for part in (
        json.dumps({"alg": "none", "typ": "JWT"}).encode(),
        json.dumps({"iss": "outlook-emulator", "exp": _EXPIRY}).encode(),
        b"not a signature",
    )
)
"""The default; an emulator accepts any key unless `--authorization` names one."""
