"""Alerts and people's reports made into matters people own."""
