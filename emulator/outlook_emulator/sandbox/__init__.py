"""Sandboxes: their registry, samples, snapshots, import and export."""
