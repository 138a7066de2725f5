"""Devices, buildings, hazards, faults and people that behave like real ones; the load and the truth."""
