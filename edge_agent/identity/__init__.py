"""Who this gateway is: its key, its certificate, and how both are replaced."""
