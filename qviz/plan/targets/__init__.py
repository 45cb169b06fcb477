"""Targets: what one runtime can execute, and plans checked against it and mended for it."""
