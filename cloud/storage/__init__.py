"""Databases: engines, sessions, dialects, migrations."""
