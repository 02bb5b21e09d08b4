"""One request to the connector, start to finish."""
