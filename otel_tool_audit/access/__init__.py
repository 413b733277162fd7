"""Reading under audit: a question, the rows that answer it, what the trail is worth, and the reading on record."""
