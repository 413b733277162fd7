"""Copies of sealed segments that answer quickly, and are believed only where they can be proven."""
