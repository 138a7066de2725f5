"""Pages and the HTTP API; `lastmile-cloud web`."""
