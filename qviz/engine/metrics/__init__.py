"""Metrics: what outputs are worth, with and without labels."""

from qviz.engine.metrics.agreement import kl_divergence, sqnr_db
from qviz.engine.metrics.choose import choose_metric, find_metric, loss_of, metrics_of, propose
from qviz.engine.metrics.kinds import find_task
from qviz.engine.metrics.metric import Metric
from qviz.engine.metrics.task import Labels, Task

__all__ = [
    "Labels",
    "Metric",
    "Task",
    "choose_metric",
    "find_metric",
    "find_task",
    "kl_divergence",
    "loss_of",
    "metrics_of",
    "propose",
    "sqnr_db",
]
