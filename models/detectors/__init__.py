"""Detectors: readings in, scores out; they never hear what was decided."""
