"""Reading a trail: what stands in it, what came of each call, and whether it still is what its writers wrote."""
