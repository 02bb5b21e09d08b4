"""The checks of the contract. Each is a test function; see `outlook_contract.plugin` for their fixtures."""
