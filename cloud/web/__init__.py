"""HTTP API, event stream and console."""
