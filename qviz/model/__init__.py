"""Floor 2: the network as a graph that can be run, its layers and its slots."""
