"""Bytes on disk: lines, names, heads, trail.json. Pure; shared by writers and readers."""
