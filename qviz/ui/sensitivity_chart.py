"""The Sensitivity chart: one row for each layer, scrolled; only rows in sight are painted."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from qviz.app.sensitivity.present import SensitivityView
from qviz.ui.palette import Palette
from qviz.ui.sensitivity_columns import Columns
from qviz.ui.sensitivity_painter import HEAD, ROW, Look, SensitivityPainter
from qviz.ui.sensitivity_ramp import RampName
from qviz.ui.short_names import Run, runs_of

STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Home: -(10**9), Qt.Key.Key_End: 10**9}
PAGES = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
SIDEWAYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class SensitivityChart(QAbstractScrollArea):
    """Draws a SensitivityView; tells which layer and which scheme the user wants."""

    picked = Signal(str)  # a layer is to become the current one
    opened = Signal(str)  # the user wants to see this layer
    scheme_picked = Signal(str)

    def __init__(self) -> None:
        """No rows."""
        super().__init__()
        self.painter = SensitivityPainter()
        self._view: SensitivityView | None = None
        self._columns = Columns.share(1.0, 1, 0.0, 0.0, 0.0)
        self._places: dict[str, int] = {}  # of the layers, from the top
        self._runs: dict[str, tuple[Run, ...]] = {}
        self._hovered: int | None = None  # a place
        self._hovered_head: int | None = None
        self.current = ""  # the name of a layer
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(
            "Sensitivity of every layer: up and down move, left and right choose the scheme, "
            "Enter opens the histograms"
        )
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setMinimumHeight(HEAD + 3 * ROW)
        self.setCornerWidget(QWidget())  # of the card's color
        self.verticalScrollBar().setSingleStep(ROW)

    def set_colors(self, palette: Palette, name: RampName) -> None:
        """Take the theme's colors and a ramp."""
        self.painter.set_colors(palette, name)
        self.viewport().update()

    # what is drawn

    def show_view(self, view: SensitivityView) -> None:
        """Draw `view`; the current layer stays."""
        if view == self._view:
            return
        names = [row.name for row in view.rows]
        if set(names) != set(self._runs):
            self._runs = runs_of(names)
        before = self._view
        self._view = view
        self._places = {name: place for place, name in enumerate(names)}
        self._share_room()
        if before is None or (before.schemes, before.chosen) != (view.schemes, view.chosen):
            self._reveal_scheme()
        self._describe()
        self.viewport().update()

    def set_current(self, name: str) -> None:
        """Light up a layer and bring it into sight; one that has no row lights none."""
        changed, self.current = name != self.current, name
        if changed:
            self._describe()
            self._reveal()
            self.viewport().update()

    def _describe(self) -> None:
        self.setAccessibleDescription(self._numbers(self._places.get(self.current)))

    def _numbers(self, place: int | None) -> str:
        view = self._view
        return "" if view is None or place is None else view.numbers(view.rows[place])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The columns share the new width."""
        super().resizeEvent(event)
        self._share_room()
        self._reveal_scheme()

    def _share_room(self) -> None:
        if self._view is None:
            return
        room = self.viewport().height() - HEAD
        bar = self.verticalScrollBar()
        bar.setPageStep(max(ROW, room))
        bar.setRange(0, max(0, ROW * len(self._view.rows) - room))
        width, sideways = self.viewport().width(), self.horizontalScrollBar()
        count = self.painter.columns(self._view, width).count
        sideways.setPageStep(count)
        sideways.setRange(0, len(self._view.schemes) - count)
        self._columns = self.painter.columns(self._view, width, sideways.value())

    def _reveal_scheme(self) -> None:
        """The scheme of the bars is in sight."""
        shown, bar = self._columns.shown, self.horizontalScrollBar()
        if self._view is None or self._view.chosen in shown:
            return
        over = self._view.chosen - shown.stop + 1
        bar.setValue(self._view.chosen if over <= 0 else shown.start + over)

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        """Rows go up and down, schemes to the sides; names and bars stay."""
        self._share_room()
        self.viewport().update()

    def _reveal(self) -> None:
        place = self._places.get(self.current)
        if place is None:
            return
        bar, room = self.verticalScrollBar(), self.viewport().height() - HEAD
        top = place * ROW
        if top < bar.value():
            bar.setValue(top)
        elif top + ROW > bar.value() + room:
            bar.setValue(top + ROW - room)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The heads, and the rows in sight."""
        view = self._view
        if view is None or not view.rows:
            return
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = self.viewport().width(), self.viewport().height()
        scrolled = self.verticalScrollBar().value()
        painter.save()
        painter.setClipRect(QRectF(0, HEAD, width, height - HEAD))
        first = scrolled // ROW
        for place in range(first, min(len(view.rows), first + (height - HEAD) // ROW + 2)):
            row = view.rows[place]
            top = HEAD + place * ROW - scrolled
            look = Look(row.name == self.current, self.hasFocus(), place == self._hovered)
            runs = self._runs[row.name]
            self.painter.paint_row(painter, view, row, runs, self._columns, top, width, look)
        painter.restore()
        self.painter.paint_head(painter, view, self._columns, self._hovered_head)
        if scrolled:
            painter.fillRect(QRectF(0, HEAD - 1, width, 1), QColor(self.painter.palette.line))

    # the mouse

    def _place_at(self, y: float) -> int | None:
        """The row at a height of the viewport."""
        if self._view is None or y < HEAD:
            return None
        place = int((y - HEAD + self.verticalScrollBar().value()) // ROW)
        return place if place < len(self._view.rows) else None

    def _head_at(self, x: float, y: float) -> int | None:
        return self._columns.scheme_at(x) if y < HEAD else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The row or the head under the mouse lights up."""
        at = event.position()
        self._hover(self._place_at(at.y()), self._head_at(at.x(), at.y()))

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse."""
        super().leaveEvent(event)
        self._hover(None, None)

    def _hover(self, place: int | None, head: int | None) -> None:
        if (place, head) != (self._hovered, self._hovered_head):
            self._hovered, self._hovered_head = place, head
            on = place is not None or head is not None
            shape = Qt.CursorShape.PointingHandCursor if on else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
            self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A layer becomes the current one, a scheme the one of the bars."""
        at = event.position()
        place, head = self._place_at(at.y()), self._head_at(at.x(), at.y())
        if event.button() != Qt.MouseButton.LeftButton or self._view is None:
            return
        if place is not None:
            self._pick(place)
        elif head is not None:
            self.scheme_picked.emit(self._view.schemes[head])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The layer's histograms."""
        place = self._place_at(event.position().y())
        if place is not None and self._view is not None:
            self.opened.emit(self._view.rows[place].name)

    def viewportEvent(self, event: QEvent) -> bool:
        """All numbers of the row under the mouse, or the whole spelling of a head."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos()), self)
            return True
        return super().viewportEvent(event)

    def tip_at(self, point: QPoint) -> str:
        """What is said of what stands at a point of the viewport."""
        if self._view is None:
            return ""
        place, head = self._place_at(point.y()), self._head_at(point.x(), point.y())
        if place is not None:
            return self._numbers(place)
        if head is None:
            return ""
        scheme = self._view.schemes[head]
        told = self._view.request.told(scheme)
        what = "the plan, with the layer in float" if scheme == "plan" else told
        return f"{what}\nClick to show its bars and order the layers by it"

    # keys and focus

    def event(self, event: QEvent) -> bool:
        """Copying is the chart's own while it has the focus, not the layer table's."""
        overrides = event.type() == QEvent.Type.ShortcutOverride
        copies = isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Copy)
        if overrides and copies:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrows move between layers and schemes, Enter opens the layer, Ctrl+C copies."""
        key, view = Qt.Key(event.key()), self._view
        page = max(1, (self.viewport().height() - HEAD) // ROW - 1)
        step = STEPS.get(key, page * PAGES.get(key, 0))
        if view is None or not view.rows:
            super().keyPressEvent(event)
        elif event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(view.as_text())
        elif step:
            start = self._places.get(self.current, -1 if step > 0 else len(view.rows))
            self._pick(min(max(0, start + step), len(view.rows) - 1))
        elif key in SIDEWAYS:
            at = min(max(0, view.chosen + SIDEWAYS[key]), len(view.schemes) - 1)
            self.scheme_picked.emit(view.schemes[at])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current in self._places:
            self.opened.emit(self.current)
        else:
            super().keyPressEvent(event)

    def _pick(self, place: int) -> None:
        if self._view is not None:
            self.picked.emit(self._view.rows[place].name)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The current row gets its ring."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The current row rests."""
        super().focusOutEvent(event)
        self.viewport().update()
