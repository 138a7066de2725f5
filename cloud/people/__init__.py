"""Accounts, roles, sessions, tokens, audit."""
