"""What both ends must agree on: readings, detectors, triggers, monitors, replay and the wire."""

__version__ = "0.1.0"
