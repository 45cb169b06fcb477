"""The actions of the window, as rows of data."""

from qviz.app.actions.action import Action
from qviz.app.actions.table import ACTIONS

__all__ = ["ACTIONS", "Action"]
