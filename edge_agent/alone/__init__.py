"""What goes on when the cloud is away: local action, the gateway's own sign, a page on loopback."""
