"""Requests that schemathesis generates from the definition, and how they reach a target."""
