"""How the connector and the admin API are served over HTTP."""
