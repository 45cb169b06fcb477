"""The File menu: what is opened and saved."""

from __future__ import annotations

from qviz.app.actions.action import Action
from qviz.app.actions.reasons import needs_model, needs_samples

FILE_MENU: tuple[Action, ...] = (
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
        why_disabled=needs_samples,
    ),
    Action(
        "save_project",
        "Save Project",
        "File",
        ("Ctrl+S",),
        "floppy-disk",
        "Save what is open, how it is read and measured, and the plan, as one file",
        needs_model,
        separator=True,
    ),
    Action(
        "save_project_as",
        "Save Project As…",
        "File",
        ("Ctrl+Shift+S",),
        "floppy-disk-back",
        "Save the project as another file",
        needs_model,
    ),
    Action(
        "open_plan",
        "Open Plan…",
        "File",
        ("Ctrl+Shift+P",),
        "file-arrow-up",
        "Replace the plan by one from a JSON file",
        needs_model,
        separator=True,
    ),
    Action(
        "save_plan",
        "Save Plan As…",
        "File",
        icon="file-arrow-down",
        tip="Save the plan alone as a JSON file, for other models and for qviz run",
        why_disabled=needs_model,
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
)
