"""The engineer's tool over files: lastmile-lab."""
