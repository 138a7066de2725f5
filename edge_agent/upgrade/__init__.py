"""Releases beside each other: a signed bundle is staged, tried, and kept or left again.

The installer runs `stage` out of a wheel before anything is installed, so it and
`bundle`, `manifest`, `releases`, `errors` import the standard library alone (and `models.errors`).
"""
