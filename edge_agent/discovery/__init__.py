"""What is to be heard and seen from this gateway, proposed as devices and channels for gateway.toml."""
