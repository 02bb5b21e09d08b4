"""The connector's limits: the middleware and its JSON shapes."""
