"""
Does the trail agree with what a trace backend holds? Each tells on the other: spans carry their record's hash.

``run`` has :func:`~otel_tool_audit.review.reconcile.run.reconcile`. Both sides are read in pieces by helper processes, and what is
compared is sorted in a temporary file, so memory does not grow with the trail; only the ids of calls that are joined by an amendment are held
in memory, some 300 bytes each.
"""
