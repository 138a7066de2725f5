"""Certificate authority and signing keys, in one folder."""
