"""Where the window finds the files that ship with qviz."""

from qviz.data.bundled import resource_path

__all__ = ["resource_path"]
