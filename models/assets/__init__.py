"""Classes of assets: what a lift, a freezer or a flat brings with it, as data."""
