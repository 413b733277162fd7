"""What the spans of other instrumentations tell of a tool call: one small, pure module for each convention."""
