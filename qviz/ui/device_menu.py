"""The menu of devices: where the plan runs. What this machine lacks is grey and says why."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from qviz.app.session import Session
from qviz.ui.fonts import ui_font
from qviz.ui.settings import Settings

TIP = (
    "Where the model and the plan run. It is tried first: where it gives other numbers, the CPU "
    "stays. Calibration and the errors of layers are always the CPU's"
)


class DeviceMenu(QMenu):
    """One entry per device, of which one is checked; filled whenever it opens."""

    def __init__(self, session: Session, settings: Settings, parent: QWidget) -> None:
        """Nothing is asked of the machine until it opens, or `restore`."""
        super().__init__("Device", parent)
        self._session = session
        self._settings = settings
        self._group = QActionGroup(self)
        self.setFont(ui_font(13))
        self.setToolTipsVisible(True)
        self.menuAction().setToolTip(TIP)
        self.addAction("CPU")  # some systems do not open an empty menu
        self.aboutToShow.connect(self.show_devices)

    def show_devices(self) -> None:
        """One line per device."""
        self.clear()
        for device in self._session.devices():
            action = self.addAction(device.title)
            action.setObjectName(f"device_{device.name}")
            action.setCheckable(True)
            action.setChecked(device.name == self._session.device)
            action.setEnabled(not device.why_not)
            reason = device.why_not[:1].upper() + device.why_not[1:]
            action.setToolTip(reason or TIP)
            action.setStatusTip(reason or TIP)
            action.setActionGroup(self._group)
            action.triggered.connect(partial(self._pick, device.name))

    def restore(self) -> None:
        """The device of last time if it is still there, unless this run was given one."""
        name = self._settings.word("device", "cpu")
        if name == "cpu" or self._session.device_chosen:
            return
        if any(device.name == name and not device.why_not for device in self._session.devices()):
            self._session.set_device(name)

    def _pick(self, name: str) -> None:
        self._settings.set_word("device", name)
        self._session.set_device(name)
