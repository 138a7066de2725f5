"""Who asks, and whether they may: sessions, tokens, permissions, Origin, headers, back-off."""
