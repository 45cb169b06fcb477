"""The menu table: every action of the window, as rows of data. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qviz.app.memory import BUDGETS
from qviz.app.views import DocumentView

Scope = Literal["window", "views"]
_NO_SAMPLES = "Open samples first"


def _always(_document: DocumentView) -> str:
    return ""


def _needs_model(document: DocumentView) -> str:
    return "" if document.model_name else "Open a model first"


def _needs_samples(document: DocumentView) -> str:
    if document.samples_path.endswith(".py"):
        return "The program makes its samples itself"
    if document.samples_path:
        return ""
    return "The inputs are synthetic: open samples first" if document.synthetic else _NO_SAMPLES


def _needs_departure(document: DocumentView) -> str:
    return _needs_model(document) or document.no_departure


def _needs_undo(document: DocumentView) -> str:
    return "" if document.undo_text else "Nothing to undo"


def _needs_redo(document: DocumentView) -> str:
    return "" if document.redo_text else "Nothing to redo"


@dataclass(frozen=True, slots=True)
class Action:
    """One action: what the menu shows, its keys, and why it is disabled ("" when it is not).

    `menu` is a path such as "Edit/Presets", or "" for an action that only has keys. Keys of the
    scope "views" work while the layer table or a plot has the focus, so that they can be letters.
    """

    id: str
    text: str
    menu: str
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    why_disabled: Callable[[DocumentView], str] = _always
    checkable: bool = False
    group: str = ""  # actions of one group: exactly one is checked
    scope: Scope = "window"
    separator: bool = False  # a line above it in its menu


MEMORY_TIP = (
    "How much memory keeps what layers gave, so that an edit starts where it was made. "
    "Less is slower; the numbers are the same"
)

ACTIONS: tuple[Action, ...] = (
    Action(
        "open_model",
        "Open Model…",
        "File",
        ("Ctrl+O",),
        "folder-open",
        "Open a network: ONNX, PyTorch, safetensors, GGUF …",
    ),
    Action(
        "open_project",
        "Open Project…",
        "File",
        icon="briefcase",
        tip="Open a model with its samples and plan, as they were saved",
    ),
    Action(
        "open_demo",
        "Open the Demo",
        "File",
        ("Ctrl+Shift+D",),
        "play-circle",
        "Open the bundled network and its 2,000 test images",
    ),
    Action(
        "open_samples",
        "Open Samples…",
        "File",
        ("Ctrl+Shift+O",),
        "stack",
        "Open samples to measure accuracy: arrays, images, tables, audio or text",
        separator=True,
    ),
    Action(
        "open_sample_folder",
        "Open Sample Folder…",
        "File",
        icon="folder-simple",
        tip="Open a folder of images or recordings; sub-folders are classes",
    ),
    Action(
        "sample_options",
        "Samples Options…",
        "File",
        icon="sliders-horizontal",
        tip="How the samples are read, with a preview of what the model is given",
        why_disabled=_needs_samples,
    ),
    Action(
        "save_project",
        "Save Project",
        "File",
        ("Ctrl+S",),
        "floppy-disk",
        "Save what is open, how it is read and measured, and the plan, as one file",
        _needs_model,
        separator=True,
    ),
    Action(
        "save_project_as",
        "Save Project As…",
        "File",
        ("Ctrl+Shift+S",),
        "floppy-disk-back",
        "Save the project as another file",
        _needs_model,
    ),
    Action(
        "open_plan",
        "Open Plan…",
        "File",
        ("Ctrl+Shift+P",),
        "file-arrow-up",
        "Replace the plan by one from a JSON file",
        _needs_model,
        separator=True,
    ),
    Action(
        "save_plan",
        "Save Plan As…",
        "File",
        icon="file-arrow-down",
        tip="Save the plan alone as a JSON file, for other models and for qviz run",
        why_disabled=_needs_model,
    ),
    Action(
        "save_screenshot",
        "Save Screenshot…",
        "File",
        ("F12",),
        "camera",
        "Save this window as a PNG picture",
        separator=True,
    ),
    Action("quit", "Quit", "File", ("Ctrl+Q",), "sign-out", "Close the window", separator=True),
    Action(
        "undo",
        "Undo",
        "Edit",
        ("Ctrl+Z",),
        "arrow-u-up-left",
        "Take back the last edit",
        _needs_undo,
    ),
    Action(
        "redo",
        "Redo",
        "Edit",
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "arrow-u-up-right",
        "Do the edit again that was taken back",
        _needs_redo,
    ),
    Action(
        "reset",
        "Reset Selection to Defaults",
        "Edit",
        ("Ctrl+Backspace",),
        "arrow-counter-clockwise",
        "Give the selected layers the plan's default schemes again",
        _needs_model,
        separator=True,
    ),
    Action(
        "copy_rows",
        "Copy Rows",
        "Edit",
        ("Ctrl+C",),
        "copy",
        "Copy the selected rows as tab-separated text",
        _needs_model,
        separator=True,
    ),
    Action(
        "find",
        "Find Layer",
        "Edit",
        ("Ctrl+F",),
        "magnifying-glass",
        "Filter the layers by name or operator; re: starts a regular expression",
        _needs_model,
    ),
    *(
        Action(
            f"memory_{budget.word}",
            budget.label,
            "Edit/Memory for Speed",
            tip=MEMORY_TIP,
            checkable=True,
            group="memory",
        )
        for budget in BUDGETS
    ),
    Action(
        "overlay",
        "Quantized Overlay",
        "View",
        ("Space",),
        "stack-simple",
        "Draw the quantized values over the float values",
        _needs_model,
        checkable=True,
        scope="views",
    ),
    Action(
        "log_scale",
        "Logarithmic Counts",
        "View",
        ("L",),
        "chart-bar",
        "Draw the counts on a logarithmic scale",
        _needs_model,
        checkable=True,
        scope="views",
    ),
    Action(
        "error_curve",
        "Error Curve",
        "View",
        ("E",),
        "chart-line",
        "Draw the SQNR that a clip at each value would give",
        _needs_model,
        checkable=True,
        scope="views",
    ),
    Action(
        "show_distribution",
        "Distribution",
        "View",
        ("Ctrl+1",),
        "chart-bar",
        "Histograms of the layer's weights and inputs, with the quantization grid",
        _needs_model,
        separator=True,
    ),
    Action(
        "show_channels",
        "Channels",
        "View",
        ("Ctrl+2",),
        "rows",
        "Range and error of every channel",
        _needs_model,
    ),
    Action(
        "show_sensitivity",
        "Sensitivity",
        "View",
        ("Ctrl+3",),
        "thermometer",
        "What quantizing each layer costs, scheme by scheme",
        _needs_model,
    ),
    Action(
        "worse_layer",
        "Worst Layer / Next Worse",
        "View",
        ("[",),
        "caret-double-up",
        "Go to the layer that costs most by the sensitivity measured, else the one with the lowest "
        "SQNR; on the way back from ], to the next worse",
        _needs_model,
        scope="views",
        separator=True,
    ),
    Action(
        "better_layer",
        "Next Less Bad Layer",
        "View",
        ("]",),
        "caret-double-down",
        "Go to the next layer in order of sensitivity, else of SQNR, away from the worst",
        _needs_model,
        scope="views",
    ),
    Action(
        "first_departure",
        "First Departure",
        "View",
        ("D",),
        "git-branch",
        "Go to the first layer, in graph order, whose accumulated SQNR is more than 3 dB below its "
        "local SQNR: more of the error of its output is inherited than the layer adds itself",
        _needs_departure,
        scope="views",
    ),
    Action(
        "theme_system",
        "Follow the System",
        "View/Theme",
        icon="monitor",
        tip="Light or dark as the system is set",
        checkable=True,
        group="theme",
    ),
    Action(
        "theme_light",
        "Light",
        "View/Theme",
        icon="sun",
        tip="Always light",
        checkable=True,
        group="theme",
    ),
    Action(
        "theme_dark",
        "Dark",
        "View/Theme",
        icon="moon",
        tip="Always dark",
        checkable=True,
        group="theme",
    ),
    Action("cancel", "Cancel Running Work", "", ("Esc",), "x", "Stop the work in the jobs strip"),
    Action("shortcuts", "Keyboard Shortcuts", "Help", ("F1",), "keyboard", "Show every key"),
    Action("about", "About qviz", "Help", icon="info", tip="Version and licences"),
)

TABLE_KEYS: tuple[tuple[str, str], ...] = (
    ("↑ ↓ ← →", "Move between layers and columns"),
    ("2 … 9", "Set the bits of the selection, in column W or A"),
    ("0", "Leave the selection in float"),
    ("F2 or Enter", "Edit the scheme of every selected layer"),
    ("Shift+↑ ↓ or Ctrl+click", "Select several layers"),
    ("Ctrl+A", "Select every layer"),
)
