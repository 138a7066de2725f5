"""Timeline entries and their actors in the reader's words."""

from __future__ import annotations

import re
from typing import Any

from cloud.web.console.explanation import unknown
from cloud.web.console.moments import exact, span
from cloud.web.console.quantities import measured, number
from cloud.web.console.queries.incidents import Happening
from cloud.web.console.wording import Wording, placeholders

# Parameters that are codes themselves -> the family that has their words, by timeline code where it differs.
_FAMILIES = {
    "severity": "severity",
    "before": "severity",
    "after": "severity",
    "hazard": "hazard",
    "verdict": "verdict",
    "because": "because",
    "clock": "clock",
    "cause": "cause",
    "severity_raised.reason": "rise",
    "task_closed.reason": "closing",
    "resolved.reason": "closing",
    "escalated.before": "person",
}
_LOOSE_ENDS = re.compile(r"\s+")


def happening(entry: Happening, words: Wording, zone: str) -> str:
    """What happened, as a sentence; a code without words is shown as it is."""
    key = f"timeline.{entry.code}"
    given = entry.parameters
    values = {name: _worded(entry.code, name, value, words, zone) for name, value in given.items()}
    values["measured"] = measured(given.get("measured_value"), given.get("measured_unit") or "")
    for login, name in entry.names.items():
        values |= {
            key: name
            for key, value in given.items()
            if value == login and key in ("assignee", "by", "before")
        }
    if entry.code == "escalated" and given.get("assignee") == given.get("before"):
        key = "timeline.escalated_same"
    if key in words and placeholders(words.texts[key]) <= values.keys():
        return _LOOSE_ENDS.sub(" ", words.say(key, **values)).strip()
    return unknown("timeline", entry.code, given, words)


def actor(entry: Happening, words: Wording) -> str:
    """Who did it: a person's name, or which machine."""
    kind, _, name = entry.actor.partition("/")
    if kind == "person":
        return entry.names.get(name, name)
    if kind == "token":
        return words.say("actor.machine", name=name)
    if kind == "gateway":
        return words.say("actor.gateway", name=name)
    return words.say("actor.system")


def _worded(code: str, name: str, value: Any, words: Wording, zone: str) -> str:
    if value is None:
        return words.say("task.nobody") if name in ("assignee", "before") else ""
    family = _FAMILIES.get(f"{code}.{name}") or _FAMILIES.get(name)
    if family:
        return words.word(family, str(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.endswith("_at"):
            return exact(int(value), zone)
        return span(value, words) if name.endswith("_s") else number(float(value))
    return str(value)
