"""Scores: the evaluations of every plan visited, and the one that is shown."""

from __future__ import annotations

from qviz.data.parts import Part
from qviz.engine.evaluate import Divergence, Evaluation
from qviz.errors import QvizError

ScoreKey = tuple[str, Part, str, str, int | None]  # plan key, part, metric, output, limit


class Scores:
    """Finished evaluations by plan, the one shown, and what failed last."""

    def __init__(self) -> None:
        """Nothing was scored."""
        self.shown: Evaluation | None = None
        self.failure = ""
        self._shown_key: ScoreKey | None = None
        self._told: tuple[ScoreKey, Divergence] | None = None
        self._finished: dict[ScoreKey, Evaluation] = {}

    def recall(self, key: ScoreKey) -> bool:
        """Show a finished evaluation again, if there is one."""
        known = self._finished.get(key)
        if known is not None:
            self.shown, self._shown_key, self.failure = known, key, ""
        return known is not None

    def tell(self, key: ScoreKey, divergence: Divergence) -> None:
        """What is known of a plan before its first number."""
        self._told = key, divergence

    def told(self, key: ScoreKey) -> Divergence | None:
        """What is known of this very plan, part and limit, while its first number is not."""
        told = self._told
        return told[1] if told is not None and told[0] == key != self._shown_key else None

    def show(self, key: ScoreKey, evaluation: Evaluation) -> None:
        """Show an evaluation, and keep it when it has seen all it was asked to."""
        self.shown, self._shown_key = evaluation, key
        limit = key[4]
        target = evaluation.total if limit is None else min(limit, evaluation.total)
        if evaluation.samples >= target:
            self._finished[key] = evaluation

    def is_complete(self, key: ScoreKey) -> bool:
        """Whether a finished evaluation of this very plan, part and limit is known."""
        return key in self._finished

    def is_current(self, key: ScoreKey) -> bool:
        """Whether what is shown was scored under this very plan, part and limit."""
        return self._shown_key == key


def checked_limit(limit: int | None) -> int | None:
    """How many samples to score at most; raises QvizError for none."""
    if limit is not None and limit < 1:
        raise QvizError(f"limit {limit}", "no sample would be scored", "Use at least 1")
    return limit
