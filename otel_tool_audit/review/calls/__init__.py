"""A call, and what may be asked of calls: folding, filters, order, statistics, times. Pure."""
