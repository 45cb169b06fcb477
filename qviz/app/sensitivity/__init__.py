"""Sensitivity: what is asked of a sweep over the layers, and what it finds."""
