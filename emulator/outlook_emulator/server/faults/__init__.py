"""Fault injection: the middleware, the named faults, and the JSON form of fault rules."""
