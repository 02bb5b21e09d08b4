"""What the connector's HTTP interface is known to be, and the checks any server of it is held to."""
