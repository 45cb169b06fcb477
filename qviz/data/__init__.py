"""Floor 2: samples, their parts, and the bundled demo."""
