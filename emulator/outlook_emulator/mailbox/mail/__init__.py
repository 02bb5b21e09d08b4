"""Mail: delivery, reading, folders, listing, search, replies and export."""
