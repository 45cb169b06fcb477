"""The quantizers that a file holds: taken out of its graph, whose layers then read floats."""
