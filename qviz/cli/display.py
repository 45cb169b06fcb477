"""Whether a window can be shown."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """True on desktops, and on Linux when X11 or Wayland is there or Qt was told what to use."""
    if sys.platform in ("darwin", "win32"):
        return True
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return any(os.environ.get(name) for name in names)
