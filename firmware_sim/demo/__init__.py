"""The whole circle on one machine: other programs as commands, our street, and what came of it."""
