"""Orders from the cloud: a closed list, signed, obeyed once at most."""
