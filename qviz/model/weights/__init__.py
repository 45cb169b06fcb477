"""Files of weights without a graph, one format per file; tensors stay in them until asked for."""
