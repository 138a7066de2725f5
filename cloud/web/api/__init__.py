"""The HTTP API, a file for each thing it speaks of; `routers` lists them all."""
