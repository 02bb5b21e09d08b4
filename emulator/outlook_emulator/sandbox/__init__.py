"""A sandbox, the registry that finds one, its samples, snapshots, import and export."""
