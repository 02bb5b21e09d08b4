"""What the connector looks like: shapes, and their conversions to and from domain values. No behaviour lives here."""
