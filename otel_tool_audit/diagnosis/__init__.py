"""What keeps, or could keep, calls off the record: what `doctor` checks, as values."""
