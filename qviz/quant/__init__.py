"""Floor 1: numbers only. Schemes, grids, ranges, statistics and errors; tensors in, tensors out."""
