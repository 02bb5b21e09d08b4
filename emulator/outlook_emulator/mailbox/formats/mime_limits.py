"""What a mail from outside may hold. A mail above one of these limits is refused with 413."""

from __future__ import annotations

MAX_DEPTH = 100
"""How deep parts may be nested. Exchange Online allows 30 nested messages."""

MAX_PARTS = 1_000
"""Parts in a mail, with those of nested mails. Exchange Online allows 250."""

MAX_HEADER_BYTES = 500_000
"""Bytes of the headers of a mail or of one part. Exchange allows 256 kB."""

MAX_ADDRESSES = 5_000
"""Addresses in the headers of a mail. Exchange Online allows 1,000 recipients."""
