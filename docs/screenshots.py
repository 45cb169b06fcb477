"""Makes the README's pictures: python docs/screenshots.py. Needs no display."""

from __future__ import annotations

from pathlib import Path

from qviz.app.session import Session
from qviz.data.bundled import demo_model, demo_samples
from qviz.ui.run import screenshot

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Render the window with a mixed plan on the demo: light, dark, Channels, Sensitivity."""
    IMAGES.mkdir(exist_ok=True)
    model, samples = demo_model(), demo_samples()
    session = Session()
    session.open(model, samples)
    session.set("re:block.*.weight", "int4:channel:mse")
    session.set("block1.dw.weight", "int8")
    plan = IMAGES / "plan.json"
    session.save_plan(plan)
    for name, theme, view in (
        ("window-light.png", "light", "distribution"),
        ("window-dark.png", "dark", "distribution"),
        ("channels-dark.png", "dark", "channels"),
        ("sensitivity-light.png", "light", "sensitivity"),
    ):
        screenshot(
            IMAGES / name, model, samples, theme=theme, view=view, select="block1.dw", plan=plan
        )
    plan.unlink()


if __name__ == "__main__":
    main()
