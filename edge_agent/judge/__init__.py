"""Monitors over the spool: alerts, their evidence, and snapshots that survive a restart."""
