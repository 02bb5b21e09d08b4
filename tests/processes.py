"""How long tests wait for the processes that they start."""

from __future__ import annotations

HUNG_AFTER = 300
"""After so many seconds, a process hangs. On a busy machine, one that takes two seconds may take a minute."""
