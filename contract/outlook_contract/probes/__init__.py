"""Probes: open questions about the real connector, each put to a target by calls and answered by what comes back."""
