"""What writers keep outside the trail: heads, places, keys; opening a trail, adopting one, accepting a loss."""
