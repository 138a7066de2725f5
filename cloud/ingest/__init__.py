"""From the broker to the stores, each message once."""
