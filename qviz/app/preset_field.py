"""The menu of presets: for image files, and for arrays of pictures, which need none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from qviz.app.views import Choice, FormField
from qviz.data.preprocessing import Preprocessing, shape
from qviz.data.presets import PRESETS, Preset, propose
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

PROPOSED, OWN = "proposed", "own"
_SIZES = re.compile(r"^(Shorter side .*?, center \d+|Resized to the input), ")  # of descriptions


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a preset would be for: pictures, and the input that takes them."""

    spec: InputSpec
    as_they_are: bool = False  # arrays: where nothing is chosen nothing is done to them
    fit: bool = False  # they have the input's size already, and keep it
    refused: str = ""  # why no preset can be chosen

    def sized(self, preset: Preset) -> Preprocessing:
        """What a preset does to them; raises QvizError for an input that takes no pictures."""
        given = preset.sized_for(self.spec)
        return replace(given, resize=None, crop=None) if self.fit else given


def preset_field(chosen: Preprocessing | None, pictures: Pictures) -> FormField:
    """The menu: what happens without a choice, the presets, and own values where they are set."""
    name = "" if chosen is None else preset_name(chosen, pictures)
    choices = [_unchosen(pictures), *(_choice(preset, pictures) for preset in PRESETS)]
    if chosen is not None and not name:
        choices.append(Choice(OWN, "Own values", "As the fields below say"))
    value = PROPOSED if chosen is None else name or OWN
    return FormField("preset", "Preset", "menu", value, tuple(choices))


def chosen_preset(
    chosen: Preprocessing | None, pictures: Pictures, name: str
) -> Preprocessing | None:
    """The preprocessing of a name of the menu; None for the first, `chosen` for own values."""
    if name == PROPOSED:
        return None
    return next((pictures.sized(preset) for preset in PRESETS if preset.name == name), chosen)


def _unchosen(pictures: Pictures) -> Choice:
    if pictures.as_they_are:
        tip = pictures.refused or "The model is given the numbers that the file holds"
        return Choice(PROPOSED, "As they are", tip)
    proposed = preset_name(propose(pictures.spec), pictures)
    meant = next((_meaning(preset, pictures) for preset in PRESETS if preset.name == proposed), "")
    return Choice(
        PROPOSED,
        f"Proposed: {proposed or 'for this input'}",
        meant or "What suits the type and the shape of the model's input",
    )


def _choice(preset: Preset, pictures: Pictures) -> Choice:
    why = pictures.refused or _misfit(preset, pictures)
    return Choice(preset.name, preset.name, _meaning(preset, pictures), why)


def _meaning(preset: Preset, pictures: Pictures) -> str:
    """What a preset does to pictures for this input: its words, with the sizes they come to."""
    written, sized = preset.preprocessing, pictures.sized(preset)
    if pictures.fit:
        words = _SIZES.sub("", preset.description)
        return words[:1].upper() + words[1:]
    side, center = f"Shorter side {sized.resize}", f", center {sized.crop}"
    if isinstance(sized.resize, tuple):
        side, center = f"Resized to {sized.resize[0]}×{sized.resize[1]}", ""
    words = preset.description.replace(f"Shorter side {written.resize}", side)
    return words.replace(f", center {written.crop}", center)


def _misfit(preset: Preset, pictures: Pictures) -> str:
    """Why an input cannot take a preset; "" when it can."""
    try:
        shape(pictures.sized(preset), pictures.spec)
    except QvizError as error:
        return error.cause[:1].upper() + error.cause[1:]
    return ""


def preset_name(now: Preprocessing, pictures: Pictures) -> str:
    """The preset that it is, for these pictures; "" for own values."""
    return next((preset.name for preset in PRESETS if pictures.sized(preset) == now), "")


def proposal_words(now: Preprocessing, spec: InputSpec) -> str:
    """The proposed preprocessing in words; "" where another one is in use."""
    if now != propose(spec):
        return ""
    name = preset_name(now, Pictures(spec)) or "proposed"
    if isinstance(now.resize, int):
        size = f"shorter side {now.resize}"
    else:
        size = "" if now.resize is None else f"resized to {now.resize[0]}×{now.resize[1]}"
    crop = now.crop if not isinstance(now.crop, tuple) else f"{now.crop[0]}×{now.crop[1]}"
    steps = [size] if size else []
    steps += [] if crop is None else [f"crop {crop}"]
    steps.append(now.channels)
    return f"{name}: {', '.join(steps)}"
