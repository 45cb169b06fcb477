"""Estimates: what a value seen on some samples says about all of them."""

from qviz.engine.estimates.design import Design
from qviz.engine.estimates.estimate import Estimate, Kind
from qviz.engine.estimates.interval import interval, wilson
from qviz.engine.estimates.paired import e_value, mcnemar, tango
from qviz.engine.estimates.sequence import MeanSequence

__all__ = [
    "Design",
    "Estimate",
    "Kind",
    "MeanSequence",
    "e_value",
    "interval",
    "mcnemar",
    "tango",
    "wilson",
]
