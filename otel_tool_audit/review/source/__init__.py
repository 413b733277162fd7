"""The opened trail: its folders, its state, the order of its segments, its records, and who reads them."""
