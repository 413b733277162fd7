"""
Reading and checking a trail: records, calls, timelines, and whether all of it is what its writers left.

Nothing in here writes a byte of a trail, takes a lock, or shares code with the writer beyond the arithmetic of the format.
``reader`` has :class:`~otel_tool_audit.review.reader.TrailReader`, ``verify`` has :func:`~otel_tool_audit.review.verify.verifier.verify`.
"""
