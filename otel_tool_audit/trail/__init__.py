"""The trail: append-only, hash-chained, durable. FORMAT.md beside this file says what lies on the disk, byte by byte."""
