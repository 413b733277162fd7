"""Decisions that a policy makes, as values. Pure."""
