"""The main window: puts the parts together and connects them. No logic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from qviz.app.session import Session
from qviz.app.views import Message
from qviz.errors import QvizError
from qviz.ui.bottom_bar import BottomBar
from qviz.ui.commands import Commands
from qviz.ui.device_menu import DeviceMenu
from qviz.ui.export_dialog import ExportDialog
from qviz.ui.file_drop import FileDrop
from qviz.ui.files import Files
from qviz.ui.fonts import ui_font
from qviz.ui.icons import app_icon
from qviz.ui.jobs_strip import JobsStrip
from qviz.ui.message_area import Banner, MessageArea
from qviz.ui.notices import Notices
from qviz.ui.preferences import Preferences
from qviz.ui.recent_menu import RecentMenu
from qviz.ui.refresh import Refresh
from qviz.ui.samples_dialog import SamplesDialog
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme
from qviz.ui.toolbar import Toolbar
from qviz.ui.welcome import Welcome
from qviz.ui.window_functions import functions_of
from qviz.ui.workspace import ROLES, Workspace


class MainWindow(QMainWindow):
    """Draws one Session."""

    def __init__(
        self,
        session: Session,
        theme: Theme,
        settings: Settings,
        may_leave: Callable[[MainWindow], bool] = lambda _: True,
        may_run: Callable[[MainWindow, str], bool] = lambda _, __: False,
    ) -> None:
        """`may_leave` is asked before unsaved edits are lost, `may_run` before a program runs."""
        super().__init__()
        self.session = session
        self.theme = theme
        self.settings = settings
        self._ask_to_leave = may_leave
        self.setFont(ui_font(13))
        self.setWindowIcon(app_icon())
        self.setMinimumSize(1000, 640)
        self.file_drop = FileDrop(self)
        self.files = Files(session, settings, self, self._may_leave, partial(may_run, self))
        self.welcome = Welcome()
        self.workspace = Workspace(session)
        self.banner = Banner()
        self.message_area = MessageArea(self.banner)
        self.notices = Notices(session, self.message_area)
        self.jobs_strip = JobsStrip(session)
        self.export_dialog: ExportDialog | None = None  # while it is open
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.workspace)
        work = self.workspace
        views = (work.table, work.distribution, work.channels.plot, work.sensitivity.chart)
        self.commands = Commands(self, functions_of(self), views)
        self.preferences = Preferences(session, theme, settings, self.commands, work.distribution)
        self.recent_menu = RecentMenu(self)
        self._build_menus()
        self.toolbar = Toolbar(session, self.commands, self.recent_menu)
        self.addToolBar(self.toolbar)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setCentralWidget(self._ground())
        self.refresh = Refresh(session)
        self._connect()
        self._restore()

    def _ground(self) -> QWidget:
        inner = QVBoxLayout()
        inner.setContentsMargins(8, 8, 8, 8)
        inner.setSpacing(8)
        inner.addWidget(self.banner)
        inner.addWidget(self.pages, 1)
        ground = QWidget()
        ground.setObjectName("ground")
        ground.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        outer = QVBoxLayout(ground)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(inner, 1)
        outer.addWidget(BottomBar(self.jobs_strip, self.message_area))
        return ground

    # actions

    def _build_menus(self) -> None:
        menus = self.commands.fill(self.menuBar())
        self.menuBar().setFont(ui_font(13))
        menus["File"].insertMenu(self.commands["open_demo"], self.recent_menu)
        self.presets_menu = QMenu("Presets", self)
        menus["Edit"].addMenu(self.presets_menu)
        self.device_menu = DeviceMenu(self.session, self.settings, self)
        menus["Edit"].addMenu(self.device_menu)

    def show_sample_options(self) -> None:
        """Choose how the open samples are read."""
        try:
            dialog = SamplesDialog(self.session, self.theme, self)
        except QvizError as error:
            self._fail(str(error))
            return
        dialog.finished.connect(self.banner.hide)  # the dialog has said what failed in it
        dialog.open()

    def show_export(self) -> None:
        """Export the plan, or see what came of the latest export."""
        if self.export_dialog is None:
            self.export_dialog = ExportDialog(self.session, self, self.theme.palette)
            self.export_dialog.finished.connect(self._forget_export)
        self.export_dialog.show()
        self.export_dialog.raise_()
        self.export_dialog.activateWindow()

    def _forget_export(self) -> None:
        self.export_dialog = None

    def _refresh_export(self) -> None:
        if self.export_dialog is not None:
            self.export_dialog.refresh()
            self.banner.withdraw(self.session.export_failure)  # the dialog says it

    def go_to_departure(self) -> None:
        """Select the first layer that inherits more error than it adds, and say what is known."""
        found = self.session.departure()
        if found is not None:
            self.workspace.layers.reveal(found.layer)
            self.message_area.say(Message("info", found.text))

    def _apply_preset(self, name: str) -> None:
        try:
            self.session.apply_preset(name)
        except QvizError as error:
            self._fail(str(error))

    def _fail(self, text: str) -> None:
        self.message_area.say(Message("error", text))

    def _may_leave(self) -> bool:
        return not self.files.modified() or self._ask_to_leave(self)

    # connections

    def _connect(self) -> None:
        work, on = self.workspace, self.refresh.on
        on("strip document", work.strip.refresh)  # first: whose number it is must not wait
        on("document", self._show_document)
        on("document strip", lambda: self.setWindowModified(self.files.modified()))
        on("rows sensitivity", self._show_rows)
        on("rows", lambda: self.commands.refresh(self.session.document()))
        for role in ROLES:  # one after the other, so that neither keeps the keys waiting
            on("distribution", partial(work.show_view, role))
        on("distribution", work.show_form)
        on("sensitivity document", work.sensitivity.refresh)
        on("jobs strip", work.sensitivity.follow_work)
        work.strip.caption.file_wanted.connect(self.files.ask_metric)
        on("jobs", self.jobs_strip.refresh)
        on("jobs document", self.files.open_pending)
        on("messages", lambda: self.message_area.show_messages(self.session.messages()))
        on("export jobs document strip", self._refresh_export)
        self.theme.changed.connect(self._take_palette)
        self.toolbar.theme_toggled.connect(self.preferences.toggle_theme)
        self.toolbar.preset_picked.connect(self._apply_preset)
        self.toolbar.preset_menu(self.session, self.presets_menu)
        self.file_drop.hovered.connect(self.welcome.set_hot)
        # Queued: a question asked inside the drop would block the program dragged from.
        self.file_drop.dropped.connect(self.files.open_dropped, Qt.ConnectionType.QueuedConnection)
        self.files.said.connect(self.message_area.say)
        self.files.pending_changed.connect(self.welcome.show_pending)
        self.files.recent_changed.connect(self._show_recent)
        self.welcome.model_wanted.connect(self.files.ask_model)
        self.welcome.samples_wanted.connect(self.files.ask_samples)
        self.welcome.demo_wanted.connect(self.files.open_demo)
        self.welcome.recent_picked.connect(self.files.open_model)
        self.recent_menu.picked.connect(self.files.open_model)
        self.recent_menu.cleared.connect(self.files.forget_recent)
        work.strip.samples_wanted.connect(self.files.ask_samples)
        work.sensitivity.samples_wanted.connect(self.files.ask_samples)
        work.failed.connect(self._fail)
        work.table.withdrawn.connect(self.banner.withdraw)
        work.table.wants_menu.connect(lambda point: self.layer_menu().popup(point))
        for name, button in (
            ("overlay", work.distribution.overlay),
            ("log_scale", work.distribution.log),
            ("error_curve", work.distribution.curve),
        ):
            button.clicked.connect(self.commands[name].trigger)
            self.commands[name].toggled.connect(button.setChecked)

    def layer_menu(self) -> QMenu:
        """The menu of the selected layers."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setFont(ui_font(13))
        self.workspace.table.add_bits_menu(menu)
        menu.addAction(self.commands["reset"])
        menu.addSeparator()
        menu.addAction(self.commands["copy_rows"])
        return menu

    def _show_document(self) -> None:
        self.notices.refresh()
        document = self.session.document()
        name = document.model_name
        self.setWindowTitle(self.files.title())
        self.pages.setCurrentIndex(1 if name else 0)
        self.presets_menu.setEnabled(bool(name))
        self.commands.refresh(document)
        self.toolbar.refresh()
        self.files.remember()

    def _show_rows(self) -> None:
        fresh = self.workspace.table.current_row() is None
        self.workspace.layers.refresh()
        if fresh:
            self.workspace.table.setFocus()

    def _show_recent(self) -> None:
        entries = self.settings.recent()
        self.welcome.show_recent(entries)
        self.recent_menu.show_recent(entries)

    def _take_palette(self) -> None:
        palette = self.theme.palette
        parts = (self.welcome, self.workspace, self.jobs_strip, self.message_area)
        for part in (*parts, self.commands, self.toolbar, self.recent_menu):
            part.set_palette(palette)
        if self.export_dialog is not None:
            self.export_dialog.set_palette(palette)
        self.commands[f"theme_{self.theme.mode}"].setChecked(True)

    # the window itself

    def _restore(self) -> None:
        self.resize(QSize(1280, 800))
        geometry = self.settings.state("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
        self.workspace.restore(self.settings)
        self.preferences.restore()
        self.device_menu.restore()
        self._take_palette()
        self._show_recent()
        self._show_document()
        self.welcome.demo.setFocus()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember sizes and stop listening, unless the user would rather stay."""
        if not self._may_leave():
            event.ignore()
            return
        self.settings.set_state("window", self.saveGeometry())
        self.workspace.save(self.settings)
        self.refresh.stop()
        event.accept()
