"""One hash chain: appending, group commit, recovery, seals."""
