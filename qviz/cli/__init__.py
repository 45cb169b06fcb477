"""The command line: opens the window, or runs the same Session without one."""

from qviz.cli.commands import main

__all__ = ["main"]
