"""Which spans of other instrumentations tell of one call, and what they make a record of."""
