"""Whether a trail is what its writers left: numbered checks, findings, verdicts."""
