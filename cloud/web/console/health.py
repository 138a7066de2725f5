"""A gateway's health and configuration in the reader's words."""

from __future__ import annotations

from cloud.web.console.moments import span
from cloud.web.console.quantities import number
from cloud.web.console.queries.fleet import GatewayRow
from cloud.web.console.wording import Wording

# What is worth a glance, in this order, with the unit its name implies; the first three found are shown.
_GLANCE = (
    ("cpu_temperature_c", "°C"),
    ("cpu_percent", "%"),
    ("memory_mb", "MB"),
    ("memory_percent", "%"),
    ("disk_percent", "%"),
    ("load_1m", ""),
)
_MOST = 3


def health_words(row: GatewayRow, words: Wording) -> str:
    """Its own measures in short, such as `CPU 48 °C, memory 161 MB`; empty when it tells none."""
    told = [(name, unit, row.measures[name]) for name, unit in _GLANCE if _is_number(row.measures.get(name))]
    parts = [
        f"{words.word('measure', name)} {number(value, 0 if unit else 1)} {unit}".strip()
        for name, unit, value in told[:_MOST]
    ]
    if _is_number(up := row.measures.get("uptime_s")) and len(parts) < _MOST:
        parts.append(f"{words.word('measure', 'uptime_s')} {span(up, words)}")
    return ", ".join(parts)


def configuration_words(row: GatewayRow, words: Wording) -> str:
    """Whether what was wanted is in force."""
    reported = row.reported
    if not row.desired and not reported:
        return words.say("fleet.config_none")
    if not reported:
        return words.say("fleet.config_waiting", n=row.desired)
    in_force, offered = int(reported.get("version", 0)), int(reported.get("offered", 0))
    if reported.get("state") == "refused" and offered >= row.desired:
        return words.say("fleet.config_refused", n=offered, reason=str(reported.get("reason", "")))
    if row.desired and row.desired != in_force:
        return words.say("fleet.config_behind", desired=row.desired, reported=in_force)
    return words.say("fleet.config_same", n=in_force) if in_force else words.say("fleet.config_own")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
