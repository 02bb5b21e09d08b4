"""The token endpoint, by which callers get access tokens as from a managed identity."""
