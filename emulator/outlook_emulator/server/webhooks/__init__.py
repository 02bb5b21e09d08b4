"""HTTP callbacks: their delivery, push triggers, and faults that delay triggers."""
