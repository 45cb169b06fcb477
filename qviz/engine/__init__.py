"""Floor 4: calibration, evaluation, the activation memo, metrics and intervals."""
