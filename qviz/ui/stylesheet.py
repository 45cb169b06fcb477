"""The one stylesheet, written from the color tokens."""

from __future__ import annotations

from qviz.app.resources import resource_path
from qviz.ui.palette import Palette


def stylesheet(p: Palette) -> str:
    """Qt stylesheet of the whole application for one palette."""
    icon = {
        name: resource_path("icons", f"{name}.svg").as_posix()
        for name in ("chevron-down", "chevron-up", "check", "dot")
    }
    return _ground(p) + _bars(p, icon) + _buttons(p, icon) + _fields(p, icon) + _table(p) + _rest(p)


def _ground(p: Palette) -> str:
    return f"""
QWidget {{ color: {p.text}; }}
QMainWindow, QDialog, QWidget#ground {{ background: {p.window}; }}
QLabel, QCheckBox {{ background: transparent; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QFrame#card {{ background: {p.card}; border: 1px solid {p.line}; border-radius: 10px; }}
QLabel[tone="soft"] {{ color: {p.text_soft}; }}
QLabel[tone="faint"] {{ color: {p.text_faint}; }}
QLabel[tone="accent"] {{ color: {p.accent}; }}
QLabel[tone="good"] {{ color: {p.good}; }}
QLabel[tone="warn"] {{ color: {p.warn}; }}
QLabel[tone="bad"] {{ color: {p.bad}; }}
QLabel[badge="plain"] {{ background: {p.sunken}; color: {p.text_soft};
  border: 1px solid {p.line}; border-radius: 5px; padding: 0px 6px; }}
QLabel[badge="accent"] {{ background: {p.accent_soft}; color: {p.accent};
  border: 1px solid {p.accent_soft}; border-radius: 5px; padding: 1px 6px; }}
QFrame#divider {{ background: {p.line}; border: none; }}
QScrollArea, QScrollArea > QWidget > QWidget#scrolled {{ background: transparent; border: none; }}
"""


def _bars(p: Palette, icon: dict[str, str]) -> str:
    return f"""
QMenuBar {{ background: {p.card}; border: none; padding: 2px 6px; }}
QMenuBar::item {{ background: transparent; padding: 4px 9px; border-radius: 5px; }}
QMenuBar::item:selected {{ background: {p.sunken}; }}
QMenuBar::item:pressed {{ background: {p.accent_soft}; color: {p.accent}; }}
QMenu {{ background: {p.raised}; border: 1px solid {p.line_strong}; padding: 5px; }}
QMenu::item {{ padding: 6px 28px 6px 10px; border-radius: 5px; }}
QMenu::item:selected {{ background: {p.accent_soft}; color: {p.accent}; }}
QMenu::item:disabled {{ color: {p.text_disabled}; background: transparent; }}
QMenu::icon {{ padding-left: 8px; }}
QMenu::separator {{ height: 1px; background: {p.line}; margin: 5px 6px; }}
QMenu::indicator {{ width: 16px; height: 16px; margin-left: 6px; }}
QMenu::indicator:checked {{ image: url("{icon["check"]}"); }}
QToolBar {{ background: {p.card}; border: none; border-bottom: 1px solid {p.line};
  padding: 4px 8px; spacing: 4px; }}
QToolBar::separator {{ background: {p.line}; width: 1px; margin: 6px 6px; }}
QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {p.line_strong}; border-radius: 2px; }}
"""


def _buttons(p: Palette, icon: dict[str, str]) -> str:
    return f"""
QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: 6px;
  padding: 4px 8px; color: {p.text_soft}; }}
QToolButton:hover {{ background: {p.sunken}; color: {p.text}; }}
QToolButton:pressed {{ background: {p.accent_soft}; }}
QToolButton:checked {{ background: {p.accent_soft}; color: {p.accent}; }}
QToolButton:focus {{ border: 1px solid {p.accent}; }}
QToolButton:disabled {{ color: {p.text_disabled}; background: transparent; }}
QToolButton[compact="true"] {{ padding: 2px; }}
QToolButton[popupMode="1"] {{ padding-right: 20px; }}
QToolButton[popupMode="2"] {{ padding-right: 20px; }}
QToolButton::menu-button {{ border: none; width: 18px; border-radius: 6px; }}
QToolButton::menu-button:hover {{ background: {p.line}; }}
QToolButton::menu-arrow {{ image: url("{icon["chevron-down"]}"); width: 12px; height: 12px; }}
QToolButton::menu-indicator {{ image: url("{icon["chevron-down"]}"); width: 12px; height: 12px;
  subcontrol-position: right center; subcontrol-origin: padding; right: 5px; }}
QPushButton {{ background: {p.card}; border: 1px solid {p.line_strong}; border-radius: 6px;
  padding: 6px 14px; }}
QPushButton:hover {{ background: {p.sunken}; }}
QPushButton:pressed {{ background: {p.accent_soft}; }}
QPushButton:focus {{ border: 1px solid {p.accent}; }}
QPushButton:disabled {{ color: {p.text_disabled}; background: {p.sunken}; border-color: {p.line}; }}
QPushButton[primary="true"] {{ background: {p.accent}; border: 1px solid {p.accent};
  color: {p.on_accent}; }}
QPushButton[primary="true"]:hover {{ background: {p.accent_hover};
  border-color: {p.accent_hover}; }}
QPushButton[primary="true"]:disabled {{ color: {p.text_disabled}; background: {p.sunken};
  border-color: {p.line}; }}
QPushButton[primary="true"]:focus {{ border: 2px solid {p.text}; padding: 5px 13px; }}
QPushButton[link="true"] {{ background: transparent; border: 1px solid transparent;
  color: {p.accent}; padding: 0px; text-align: left; border-radius: 4px; }}
QPushButton[link="true"]:hover {{ color: {p.accent_hover}; text-decoration: underline; }}
QPushButton[link="true"]:focus {{ border: 1px solid {p.accent}; }}
QWidget#segmented {{ background: {p.sunken}; border: 1px solid {p.line}; border-radius: 7px; }}
QToolButton[segment="true"] {{ border: 1px solid transparent; border-radius: 5px;
  padding: 3px 6px; color: {p.text_soft}; background: transparent; }}
QToolButton[segment="true"]:hover {{ color: {p.text}; background: {p.line}; }}
QToolButton[segment="true"]:checked {{ background: {p.card}; color: {p.accent};
  border: 1px solid {p.line_strong}; }}
QToolButton[segment="true"]:focus {{ border: 1px solid {p.accent}; }}
QToolButton[segment="true"]:disabled {{ color: {p.text_disabled}; background: transparent; }}
"""


def _fields(p: Palette, icon: dict[str, str]) -> str:
    return f"""
QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox {{ background: {p.sunken};
  border: 1px solid {p.line}; border-radius: 6px; padding: 4px 8px; min-height: 18px;
  selection-background-color: {p.accent}; selection-color: {p.on_accent}; }}
QLineEdit:hover, QComboBox:hover, QSpinBox:hover, QDoubleSpinBox:hover {{
  border-color: {p.line_strong}; }}
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus {{
  border: 1px solid {p.accent}; background: {p.card}; }}
QLineEdit[invalid="true"] {{ border: 1px solid {p.bad}; }}
QLineEdit:disabled, QComboBox:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{
  color: {p.text_disabled}; }}
QComboBox[compact="true"], QSpinBox[compact="true"] {{ padding: 1px 4px 1px 8px; }}
QLineEdit#cell {{ border-radius: 0px; padding: 0px 5px; background: {p.card};
  border: 2px solid {p.accent}; }}
QLineEdit#cell[invalid="true"] {{ border: 2px solid {p.bad}; }}
QComboBox {{ combobox-popup: 0; }}
QComboBoxPrivateContainer {{ background: {p.raised}; border: 1px solid {p.line_strong}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: url("{icon["chevron-down"]}"); width: 14px; height: 14px; }}
QAbstractItemView#list, QComboBox QAbstractItemView {{ background: {p.raised};
  border: 1px solid {p.line_strong}; padding: 4px; outline: none; }}
QComboBox QAbstractItemView {{ border: none; }}
QComboBox QAbstractItemView::item:selected, QAbstractItemView#list::item:selected {{
  background: {p.accent_soft}; color: {p.accent}; }}
QComboBox QAbstractItemView::item, QAbstractItemView#list::item {{ padding: 3px 6px;
  min-height: 20px; border-radius: 4px; }}
QComboBox QAbstractItemView::item:disabled {{ color: {p.text_disabled}; }}
QLineEdit {{ padding: 4px 6px; }}
QSpinBox, QDoubleSpinBox {{ padding: 4px 18px 4px 8px; max-height: 18px; }}
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{ border: none;
  padding: 0px; background: transparent; min-height: 0px; }}
QSpinBox::up-button, QDoubleSpinBox::up-button {{ border: none; width: 18px;
  background: transparent;
  subcontrol-origin: padding; subcontrol-position: top right; }}
QSpinBox::down-button, QDoubleSpinBox::down-button {{ border: none; width: 18px;
  background: transparent;
  subcontrol-origin: padding; subcontrol-position: bottom right; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url("{icon["chevron-up"]}");
  width: 12px; height: 12px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url("{icon["chevron-down"]}");
  width: 12px; height: 12px; }}
"""


def _table(p: Palette) -> str:
    return f"""
QTableView {{ background: transparent; border: none; outline: none;
  selection-background-color: {p.accent_soft}; selection-color: {p.text}; }}
QHeaderView {{ background: transparent; border: none; }}
QHeaderView::section {{ background: {p.card}; color: {p.text_faint}; border: none;
  border-bottom: 1px solid {p.line}; padding: 0px 6px; }}
QHeaderView::section:hover {{ color: {p.text}; }}
QHeaderView::up-arrow, QHeaderView::down-arrow {{ width: 0px; height: 0px; }}
QTableCornerButton::section {{ background: {p.card}; border: none; }}
"""


def _rest(p: Palette) -> str:
    return f"""
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 2px; }}
QScrollBar::handle {{ background: {p.line_strong}; border-radius: 3px; }}
QScrollBar::handle:vertical {{ min-height: 28px; }}
QScrollBar::handle:horizontal {{ min-width: 28px; }}
QScrollBar::handle:hover {{ background: {p.text_faint}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0px; height: 0px; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QToolTip {{ background: {p.raised}; color: {p.text}; border: 1px solid {p.line_strong};
  padding: 5px 7px; }}
QProgressBar {{ background: {p.line}; border: none; border-radius: 2px; }}
QProgressBar::chunk {{ background: {p.accent}; border-radius: 2px; }}
QFrame#banner[level="error"] {{ background: {p.bad_soft}; border: 1px solid {p.bad};
  border-radius: 8px; }}
QFrame#banner[level="warning"] {{ background: {p.warn_soft}; border: 1px solid {p.warn};
  border-radius: 8px; }}
QWidget#bottom {{ background: {p.card}; border-top: 1px solid {p.line}; }}
QFrame#strip {{ background: {p.card}; border: 1px solid {p.line}; border-radius: 10px; }}
QFrame#drop {{ background: {p.card}; border: 1px solid {p.line}; border-radius: 14px; }}
QFrame#drop[hot="true"] {{ background: {p.accent_soft}; border: 2px solid {p.accent}; }}
QLabel#key {{ background: {p.sunken}; border: 1px solid {p.line_strong}; border-radius: 4px;
  padding: 1px 6px; color: {p.text_soft}; }}
QTextBrowser {{ background: transparent; border: none; }}
"""
