"""Pipelines: the generators that lanes run, from files to numbers."""
