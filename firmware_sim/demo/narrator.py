"""What happens, in a line each, for whoever watches."""

from __future__ import annotations

import sys
import time
from typing import Any

LINES = {
    "serving": "{devices} devices are serving",
    "calm": "nothing new begins; waiting for what is under way",
    "begins": "{kind} begins: {what} at {where}",
    "ends": "{kind} ends: {what} at {where}",
    "task": "task: {hazard} at {place} -> {person}{silence}",
    "outcome": "outcome: {hazard} at {place}: {verdict} ({person}, {cause})",
    "trouble": "trouble: {error}",
}


class Narrator:
    """Writes to standard error; times are seconds since it began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last_trouble = ""

    def say(self, text: str) -> None:
        print(f"demo {time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    def tell(self, event: dict[str, Any]) -> None:
        """One event of the street; the same trouble is said once."""
        line = line_of(event)
        if event.get("event") == "trouble":
            if line == self._last_trouble:
                return
            self._last_trouble = line
        self.say(line)


def line_of(event: dict[str, Any]) -> str:
    """An event in words.

    >>> line_of({"event": "begins", "what": "gas_leak", "where": "b2/f2/201-kitchen", "real": True})
    'hazard begins: gas leak at b2/f2/201-kitchen'
    """
    about = dict(event)
    about["what"] = str(event.get("what", "")).replace("_", " ")
    about["kind"] = _kind(event)
    about["silence"] = " (who will not answer)" if event.get("silent") else ""
    template = LINES.get(str(event.get("event")))
    return template.format_map(about) if template else str(event)


def _kind(event: dict[str, Any]) -> str:
    if event.get("real"):
        return "hazard"
    return "look-alike" if event.get("hazard", True) and event.get("what") == "cooking" else "fault"
