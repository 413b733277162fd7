"""
Does the trail agree with what a trace backend holds? Each tells on the other: spans carry their record's hash.

``run`` has :func:`~otel_tool_audit.review.reconcile.run.reconcile`. What is compared streams through a temporary database on disk, so
memory does not grow with the trail; only calls that are joined by an amendment are held in memory, some 300 bytes each.
"""
