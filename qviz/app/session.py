"""Session: the one mutable object. It holds the Document, its undo list, its findings and lanes.

The window, the command line and a notebook drive the same Session: with a `post` function work
runs in lanes and results arrive as topics; without one every call returns when its work is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from qviz.app import edits
from qviz.app.document import known_part
from qviz.app.extents import present_range
from qviz.app.planning import Planning, listed
from qviz.app.present import slot_encoding
from qviz.app.presets import PRESETS, leaves_all_in_float, preset_plan
from qviz.app.views import Choice, Message
from qviz.errors import QvizError
from qviz.plan.plan import parse_setting, write_plan
from qviz.plan.stored import without_stored
from qviz.quant.encoding import Scaled
from qviz.quant.spelling import parse_scheme


class Session(Planning):
    """A model, its samples and a plan, with everything qviz knows about them."""

    def __repr__(self) -> str:
        """What is open, for a notebook."""
        view = self.document()
        if not view.model_name:
            return "<qviz Session, nothing open>"
        samples = f", {view.samples_count} samples" if view.samples_count else ""
        if view.synthetic:
            samples = ", synthetic inputs"
        return f"<qviz Session {view.model_name}, {view.layers} layers{samples}>"

    def set_scheme(self, slots: Sequence[str], spelling: str) -> None:
        """Give slots one scheme by its spelling."""
        scheme = parse_scheme(spelling)
        self._edit(f"set {listed(slots)} to {scheme}", edits.set_scheme, slots, spelling)

    def set_bits(self, slots: Sequence[str], bits: int) -> None:
        """Change the width of slots; 0 means float."""
        text = f"{bits} bits" if bits else "float"
        self._edit(f"set {listed(slots)} to {text}", edits.set_bits, slots, bits)

    def set_field(self, slots: Sequence[str], field: str, value: str) -> None:
        """Change one field of the Inspector's form."""
        if (field, value) == ("range", "clip"):  # by hand starts from the range it has
            low, high = self._present_range(slots)
            self.set_clip(slots, low, high)
            return
        self._edit(f"set {field} of {listed(slots)}", edits.set_field, slots, field, value)

    def set_clip(self, slots: Sequence[str], low: float, high: float) -> None:
        """Set the range of slots by hand."""
        self._edit(f"clip {listed(slots)}", edits.set_clip, slots, low, high)

    def reset(self, slots: Sequence[str]) -> None:
        """Give slots back to the plan's defaults and rules, or else to the quantized file."""
        self._edit(f"reset {listed(slots)}", edits.reset, slots)

    def set(self, pattern: str, spelling: str) -> None:
        """Add a rule, such as `set("conv1.weight", "int4:channel")` or `set("re:.*.input", …)`."""
        self.set_text(f"{pattern}={spelling}")

    def set_text(self, setting: str) -> None:
        """Add a rule as the command line writes it: `conv1.weight=int4:channel`."""
        self.add_rule(parse_setting(setting))

    def set_defaults(self, weight: str | None = None, inputs: str | None = None) -> None:
        """Change the schemes that slots have when nothing else is said of them.

        A quantized file's own scales are no such word: they go.
        """
        model, plan = self._require_model(), self._document.plan
        if weight is not None:
            plan = replace(without_stored(model, plan, "weight"), weight=parse_scheme(weight))
        if inputs is not None:
            plan = replace(without_stored(model, plan, "input"), input=parse_scheme(inputs))
        plan = self._held(plan)
        self._check(plan)
        self._apply("set the defaults", plan)

    def presets(self) -> tuple[Choice, ...]:
        """The presets: the name of each and what it sets."""
        return tuple(Choice(name, name, preset.tip) for name, preset in PRESETS.items())

    def apply_preset(self, name: str) -> None:
        """Replace the plan by a preset, but for locked slots, tags and notes; one undo step.

        Raises:
            QvizError: nothing is open, or there is no such preset.
        """
        model = self._require_model()
        if name not in PRESETS:
            raise QvizError(
                f"preset '{name}'", "there is no such preset", f"Choose one of {', '.join(PRESETS)}"
            )
        self._apply(f"preset {name}", self._held(preset_plan(model, name)))
        if leaves_all_in_float(model, name):
            text = f"{name} leaves the first and last layer in float, and this model has no other"
            self._say(Message("info", text))

    def set_part(self, part: str) -> None:
        """Choose the samples that are scored: tune, all or confirm."""
        chosen = known_part(part)
        if chosen != self._document.part:
            self._document = replace(self._document, part=chosen)
            self._changed("strip", "document")
            self._evaluate()

    def load_plan(self, path: str | Path) -> None:
        """Replace the plan by a file's; one undo step."""
        self._require_model()
        before = self._moment()
        if self._take_plan(Path(path)) != before.plan:
            self._history.edited(f"open plan {Path(path).name}", before)
            self._evaluate()

    def save_plan(self, path: str | Path) -> None:
        """Save the plan with the hashes of what it was made on."""
        model = self._require_model()
        document = self._document
        provenance: dict[str, object] = {
            "qviz": metadata.version("qviz-workbench"),
            "model": {"name": Path(model.path).name, "sha256": model.hash},
        }
        if document.samples is not None and document.split is not None:
            provenance["samples"] = {
                "name": document.samples.name,
                "sha256": document.samples.hash,
                "seed": document.seed,
                "split": document.split.hash,
            }
        write_plan(document.plan, Path(path), provenance)
        self._document = replace(
            document,
            plan_path=str(path),
            saved_plan=document.plan.key,
            saved_remarks=document.plan.remarks,
        )
        self._say(Message("info", f"Saved the plan to {Path(path).name}"))
        self._changed("document")

    def _present_range(self, slots: Sequence[str]) -> tuple[float, float]:
        """The range that the slots have now, of the widest where they differ."""
        model, present = self._require_model(), self._schemes()
        found = []
        for slot in (model.slots[name] for name in slots if name in model.slots):
            stats = self._findings.statistics.get(slot.group)
            if stats is None:
                continue
            scheme = present[slot.name]
            encoding = None
            if "clip" in scheme.ranges:
                encoding = slot_encoding(self._findings, slot.group, scheme, live=self._live)
            if isinstance(encoding, Scaled):
                found.append(present_range(stats, scheme, encoding))
            else:
                found.append((float(stats.minimum.min()), float(stats.maximum.max())))
        if not found:
            return -1.0, 1.0
        return min(low for low, _ in found), max(high for _, high in found)
