"""How a sandbox treats its callers and what it records of them: limits, fault rules, journal. Without HTTP."""
