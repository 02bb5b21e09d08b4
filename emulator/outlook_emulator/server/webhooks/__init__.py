"""HTTP callbacks: delivery, push triggers and late triggers."""
