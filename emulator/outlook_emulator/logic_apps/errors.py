"""The error of this part."""

from __future__ import annotations


class PatchError(ValueError):
    """The files cannot be changed or restored; none of them was touched."""
