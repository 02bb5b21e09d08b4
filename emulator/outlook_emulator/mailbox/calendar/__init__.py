"""Calendar events: series, occurrences, invitations and responses."""
