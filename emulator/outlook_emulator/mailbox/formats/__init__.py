"""File formats: conversions between bytes and domain values, without state."""
