"""The journal: the middleware that records every exchange, and how entries are queried."""
