"""The command line: opens the window, or runs the same Session without one."""

import os

# Read when torch loads its OpenMP runtime: threads that wait sleep instead of spinning, which on
# a busy machine of few cores is the difference between a second and ten.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from qviz.cli.commands import main

__all__ = ["main"]
