"""The figures beside the score: what changed from float, and what the plan costs."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QPixmap

from qviz.app.views import Strip
from qviz.ui import number_format as text
from qviz.ui.figure import Figure
from qviz.ui.icons import icon
from qviz.ui.metric_numbers import Spelling, change_notes, change_tone
from qviz.ui.palette import Palette
from qviz.ui.strip_words import flip_notes


class StripFigures:
    """Change, flips, size and bit operations."""

    def __init__(self) -> None:
        """Figures without values."""
        self.change = Figure("Change")
        self.flips = Figure("Flips")
        self.size = Figure("Size")
        self.bops = Figure("Bit operations")
        self.all = (self.change, self.flips, self.size, self.bops)
        self._arrows: dict[tuple[str, bool], QPixmap] = {}  # by tone, and whether it points up

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._arrows = {
            (tone, up): pixmap("arrow-up" if up else "arrow-down", palette, color)
            for tone, color in (("bad", palette.bad), ("good", palette.good))
            for up in (False, True)
        }

    def show_strip(self, strip: Strip, file_bytes: int) -> None:
        """Draw the figures; `file_bytes` of the model's file, 0 when nothing is open."""
        self._show_change(strip)
        self._show_flips(strip)
        self._show_size(strip, file_bytes)
        self._show_bops(strip)

    def _show_change(self, strip: Strip) -> None:
        stale = strip.stale
        spelling, notes = Spelling(strip), change_notes(strip.unit)
        change = spelling.change(strip)
        self.change.setToolTip("The quantized model's number minus the float model's")
        if change is None:
            self.change.icon.hide()
            self.change.show_figure(text.NONE, "", "faint", *notes)
        else:
            tone = change_tone(change, strip.better)
            self.change.icon.setVisible(bool(tone) and not stale)
            self.change.icon.setPixmap(self._arrows.get((tone, change > 0), QPixmap()))
            shown = "faint" if stale else tone
            self.change.show_figure(spelling.signed(change), "", shown, *notes)

    def _show_flips(self, strip: Strip) -> None:
        part = amount = ""
        if strip.flips is None:
            self.flips.show_figure(text.NONE, "", "faint", *flip_notes(strip))
        else:
            shown = "faint" if strip.stale else ""
            self.flips.show_figure(text.count(strip.flips), "", shown, *flip_notes(strip))
            part = f": {text.share(strip.flips / strip.samples)} of them" if strip.samples else ""
        if strip.kl is not None:
            seen = text.counted(strip.kl_samples or strip.samples, "sample")
            amount = f" {text.significant(strip.kl, 2)} nats on {seen}"
        self.flips.setToolTip(
            f"Samples with any answer that differs from the float model's{part}\n"
            f"KL{amount}: how far the output distributions are from the float model's, the mean "
            "over the samples in nats"
        )

    def _show_size(self, strip: Strip, file_bytes: int) -> None:
        if strip.bytes_float and strip.bytes_quantized is not None:
            value, unit = text.size(strip.bytes_quantized).split(" ")
            smaller = text.ratio(strip.bytes_float, strip.bytes_quantized)
            self.size.show_figure(value, unit, "", f"{smaller} smaller", smaller)
            in_float = text.size(strip.bytes_float)
            file = f"\nThe file itself has {text.size(file_bytes)}" if file_bytes else ""
            self.size.setToolTip(
                f"Bytes of the parameters with their scales; {in_float} in float{file}"
            )
        else:
            self.size.show_figure(text.NONE, "", "faint")

    def _show_bops(self, strip: Strip) -> None:
        if strip.bops_float and strip.bops_quantized is not None:
            value, _, unit = text.short_count(strip.bops_quantized).partition(" ")
            fewer = text.ratio(strip.bops_float, strip.bops_quantized)
            self.bops.show_figure(value, unit, "", f"{fewer} fewer", fewer)
            self.bops.setToolTip(
                "Multiply-accumulates times weight bits times input bits, for one sample; "
                f"{text.short_count(strip.bops_float)} in float"
            )
        else:
            self.bops.show_figure(text.NONE, "", "faint")


def pixmap(name: str, palette: Palette, color: str) -> QPixmap:
    """An icon of the strip in a color."""
    return icon(name, palette, color).pixmap(QSize(18, 18))
