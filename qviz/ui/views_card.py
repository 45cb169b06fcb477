"""The middle card: one view of the current layer at a time, chosen by tabs."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFontMetrics,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import Card

TAB_HEIGHT = 37
TAB_GAP = 9  # on both sides of a tab's text
LOOKS = ((14, TAB_GAP), (13, 6), (12, 4))  # pixels and gap of the tabs, from the first that fits
UNDERLINE = 2


class ViewTabs(QTabBar):
    """Titles side by side, the shown one underlined."""

    def __init__(self) -> None:
        """Tabs come with `addTab`."""
        super().__init__()
        self._palette = LIGHT
        self._hovered = -1
        self._gap = TAB_GAP
        self.setFont(ui_font(14, "semibold"))
        self.setAccessibleName("Views of the layer")
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)
        self.setMouseTracking(True)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.update()

    def fit(self, room: int) -> None:
        """All titles in so many pixels, if need be in smaller letters."""
        for pixels, gap in LOOKS:
            metrics = QFontMetrics(ui_font(pixels, "semibold"))
            words = (self.tabText(index) for index in range(self.count()))
            if sum(metrics.horizontalAdvance(word) + 2 * gap for word in words) <= room:
                break
        if (pixels, gap) != (self.font().pixelSize(), self._gap):
            self._gap = gap
            self.setFont(ui_font(pixels, "semibold"))
            self.updateGeometry()

    def tabSizeHint(self, index: int) -> QSize:
        """As wide as the text."""
        width = self.fontMetrics().horizontalAdvance(self.tabText(index))
        return QSize(width + 2 * self._gap, TAB_HEIGHT)

    def minimumTabSizeHint(self, index: int) -> QSize:
        """Tabs do not shrink."""
        return self.tabSizeHint(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The tab under the mouse lights up."""
        super().mouseMoveEvent(event)
        self._hover(event.position().toPoint())

    def enterEvent(self, event: QEnterEvent) -> None:
        """The tab under the mouse lights up."""
        super().enterEvent(event)
        self._hover(event.position().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        """No tab is under the mouse."""
        super().leaveEvent(event)
        self._hovered = -1
        self.update()

    def _hover(self, point: QPoint) -> None:
        self._hovered = self.tabAt(point)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Text, underline and the ring of the keyboard focus."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self._palette
        for index in range(self.count()):
            rect = self.tabRect(index)
            shown = index == self.currentIndex()
            lit = shown or index == self._hovered
            painter.setPen(QColor(colors.text if lit else colors.text_faint))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self.tabText(index))
            if shown:
                self._underline(painter, rect)
            if shown and self.hasFocus():
                painter.setPen(QColor(colors.accent))
                painter.drawRoundedRect(rect.adjusted(1, 5, -2, -6), 5, 5)

    def _underline(self, painter: QPainter, rect: QRect) -> None:
        line = QRect(
            rect.left() + self._gap,
            rect.bottom() + 1 - UNDERLINE,
            rect.width() - 2 * self._gap,
            UNDERLINE,
        )
        painter.fillRect(line, QColor(self._palette.accent))


class ViewsCard(QFrame):
    """Holds the views; `shown_changed` says which one has come to the front."""

    shown_changed = Signal(str)

    def __init__(self) -> None:
        """No views until `add_view`."""
        super().__init__()
        self.setObjectName("card")
        self._names: list[str] = []
        self.tabs = ViewTabs()
        self._pages = QStackedWidget()
        line = QFrame()
        line.setObjectName("divider")
        line.setFixedHeight(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        self._tools = QStackedWidget()
        self._tools.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._top = top = QHBoxLayout()
        top.setContentsMargins(14 - TAB_GAP, 0, 8, 0)
        top.addWidget(self.tabs)
        top.addStretch(1)
        top.addWidget(self._tools)
        column.addLayout(top)
        column.addWidget(line)
        column.addWidget(self._pages, 1)
        self.tabs.currentChanged.connect(self._show)

    def add_view(
        self, name: str, title: str, tip: str, view: Card, tools: QWidget | None = None
    ) -> None:
        """A card becomes a page: its tab is its title and this card its frame.

        Its `tools` stand beside the tabs while it is shown.
        """
        view.setObjectName("page")
        view.title.hide()
        view.header.setContentsMargins(14, 3, 8, 3)
        self._tools.addWidget(tools or QWidget())
        self._names.append(name)
        self._pages.addWidget(view)
        self.tabs.setTabToolTip(self.tabs.addTab(title), tip)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tabs stand beside the tools in what room there is."""
        super().resizeEvent(event)
        margins = self._top.contentsMargins()
        taken = margins.left() + margins.right() + self._tools.sizeHint().width()
        self.tabs.fit(self.width() - taken - 2 * TAB_GAP)

    def shown(self) -> str:
        """The name of the view in front."""
        return self._names[self.tabs.currentIndex()]

    def show_view(self, name: str) -> None:
        """Bring a view to the front; an unknown name changes nothing."""
        if name in self._names:
            self.tabs.setCurrentIndex(self._names.index(name))

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.tabs.set_palette(palette)

    def _show(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self._tools.setCurrentIndex(index)
        if 0 <= index < len(self._names):
            self.shown_changed.emit(self._names[index])
