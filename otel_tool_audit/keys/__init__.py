"""What computes with keys: digests and pseudonyms."""
