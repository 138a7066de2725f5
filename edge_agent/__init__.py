"""The program on a gateway: read, judge, store, publish, obey."""

import os

# Else pydantic looks through every installed package for plugins at each start; a gateway has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
