"""Sensitivity: what each layer costs, measured by sweeps and guessed from gradients before."""
