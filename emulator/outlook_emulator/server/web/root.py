"""Where the pages are."""

ROOT = "/_emulator"
"""The path that all pages are below."""
