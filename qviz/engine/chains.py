"""Chains: a layer and the steps after it that can work in place on its output."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf

from qviz.model.model import Model, Step

Users = Mapping[str, list[tuple[Step, int]]]  # value -> the steps that read it, and where

_OWN_OUTPUT = {("", "Conv"), ("", "ConvTranspose"), ("", "Gemm"), ("", "MatMul")}


@dataclass(frozen=True, slots=True)
class Clip:
    """An activation that only limits values: ReLU is 0 to infinity."""

    low: float
    high: float


RELU = Clip(0.0, inf)


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """A layer, then steps that limit (a Clip) or add to (None) the output of the one before."""

    steps: tuple[Step, ...]
    clips: tuple[Clip | None, ...]  # of the steps after the layer

    @property
    def after(self) -> tuple[tuple[Step, Clip | None], ...]:
        """The steps after the layer, and what each limits to."""
        return tuple(zip(self.steps[1:], self.clips, strict=True))

    @property
    def others(self) -> tuple[str, ...]:
        """The values that are added, in order."""
        pairs = zip(self.steps, self.steps[1:], self.clips, strict=False)
        return tuple(
            step.inputs[1 - step.inputs.index(before.outputs[0])]
            for before, step, clip in pairs
            if clip is None
        )


def users_of(model: Model) -> Users:
    """Who reads each value, and at which of its inputs and captures."""
    users: dict[str, list[tuple[Step, int]]] = defaultdict(list)
    for step in model.steps:
        for position, name in enumerate((*step.inputs, *step.captures)):
            if name:
                users[name].append((step, position))
    return users


def find_chains(
    model: Model, users: Users, slots: Collection[tuple[int, int]]
) -> tuple[Chain, ...]:
    """The chains of a model; `slots` are (step index, operand) pairs, which end one."""
    taken: set[int] = set()
    chains = []
    for first in model.steps:
        if (first.domain, first.op) not in _OWN_OUTPUT or first.index in taken:
            continue
        steps, clips = [first], list[Clip | None]()
        while (step := _only_user(steps[-1], model, users, slots)) and step.index not in taken:
            clip = clip_of(step, model)
            if clip is None and (step.domain, step.op) != ("", "Add"):
                break
            steps.append(step)
            clips.append(clip)
        taken.update(step.index for step in steps)
        chains.append(Chain(tuple(steps), tuple(clips)))
    return tuple(chains)


def _only_user(
    step: Step, model: Model, users: Users, slots: Collection[tuple[int, int]]
) -> Step | None:
    name = step.outputs[0]
    if name in model.outputs or len(users.get(name, ())) != 1:
        return None
    user, position = users[name][0]
    return None if (user.index, position) in slots else user


def clip_of(step: Step, model: Model) -> Clip | None:
    """What a Relu or Clip limits values to; None for others and for limits no Clip can say."""
    if step.domain or step.op not in ("Relu", "Clip"):
        return None
    if step.op == "Relu":
        return RELU
    limits = _limits_before_11(step) if step.version < 11 else _limits(step, model)
    return Clip(*limits) if limits and limits[0] <= limits[1] else None


def _limits_before_11(step: Step) -> tuple[float, float] | None:
    low, high = (step.attributes.get(name) for name in ("min", "max"))
    return -inf if low is None else float(low), inf if high is None else float(high)


def _limits(step: Step, model: Model) -> tuple[float, float] | None:
    """None where one is computed, where they are integers, and where there are none."""
    limits, given = [-inf, inf], False
    for at, name in enumerate(step.inputs[1:3]):
        if not name:
            continue
        constant = model.constants.get(name)
        if constant is None or constant.numel() != 1 or not constant.is_floating_point():
            return None
        limits[at], given = float(constant), True
    return (limits[0], limits[1]) if given else None
