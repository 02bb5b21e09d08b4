"""What a mail from outside may hold. A mail above one of these limits is refused with 413."""

from __future__ import annotations

from outlook_emulator.content_limits import DEPTH, HEADER_BYTES, PARTS, RECIPIENTS

MAX_DEPTH = DEPTH.most
"""How deep parts may be nested. Exchange Online allows 30 nested messages."""

MAX_PARTS = PARTS.most
"""Parts in a mail, with those of nested mails. Exchange Online allows 250."""

MAX_HEADER_BYTES = HEADER_BYTES.most
"""Bytes of the headers of a mail or of one part. Exchange allows 256 kB."""

MAX_ADDRESSES = RECIPIENTS.most
"""Addresses in the headers of a mail. Exchange Online allows 1,000 recipients."""
