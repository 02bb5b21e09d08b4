"""The admin API under /_emulator/api."""
