"""The command line: parse, call, render. What it shows comes from the rooms below; nothing is decided here."""
