"""Keys that belong to one part of the window and run no action."""

from __future__ import annotations

Keys = tuple[tuple[str, str], ...]  # keys, and what they do

TABLE_KEYS: Keys = (
    ("↑ ↓ ← →", "Move between layers and columns"),
    ("2 … 9", "Set the bits of the selection, in column W or A"),
    ("0", "Leave the selection in float"),
    ("F2 or Enter", "Edit the scheme of every selected layer"),
    ("Shift+↑ ↓ or Ctrl+click", "Select several layers"),
    ("Ctrl+A", "Select every layer"),
)

CHANNELS_KEYS: Keys = (
    ("← →", "Move between channels"),
    ("Enter", "Open the channel's histogram"),
)

SENSITIVITY_KEYS: Keys = (
    ("↑ ↓", "Move between layers"),
    ("← →", "Choose the scheme of the bars"),
    ("Enter", "Open the layer's histograms"),
    ("Ctrl+C", "Copy every row as tab-separated text"),
)
