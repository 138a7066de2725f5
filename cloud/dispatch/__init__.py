"""Verification tasks, deadlines, outcomes."""
