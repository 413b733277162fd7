"""Who acts, on whose behalf and why: carried in the context, in a signed header, through threads."""
