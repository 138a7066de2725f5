"""An alert's reasons in the reader's words: codes with parameters become sentences here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.web.console.moments import span
from cloud.web.console.quantities import digits_for, measured, number, unit_symbol
from cloud.web.console.queries.incidents import AlertView
from cloud.web.console.wording import Wording, placeholders
from models.alert import Alert, Reason

# Parameters that are in the channel's own unit, whichever detector names them.
_IN_UNIT = frozenset(
    "value limit expected lower upper low high difference minimum maximum median mean spread held baseline "
    "level target reference step jump".split()
)


def reasons(view: AlertView, words: Wording) -> list[str]:
    """Why the alert fired, one sentence a reason; at least one."""
    alert = view.alert
    if alert is None:
        return [words.word("hazard", view.hazard)]
    said = [_say_reason(reason, view, alert, words) for reason in alert.reasons]
    return [text for text in said if text] or [_plain(view, alert, words)]


def quantity(view: AlertView, words: Wording) -> str:
    """What the channel measures, in words; the channel's own name where its kind is unknown.

    A channel that says no more than its kind is named by the kind alone.
    """
    kind = view.channel_kind
    return words.word("quantity", kind) if kind else view.channel


def surprise(view: AlertView, words: Wording) -> str:
    """What a learned score means: 3 is about one reading in 1 000; empty for scores that are rules."""
    score = view.alert.score if view.alert else 0.0
    if not 0 < score < 9.9:
        return ""
    return words.say("alert.surprise", n=number(float(f"{10**score:.1g}"), 0))


def band(alert: Alert, digits: int) -> str:
    """The expected band, or the expected value alone; empty when the detector gives none."""
    if alert.lower is not None and alert.upper is not None:
        symbol = unit_symbol(alert.unit)
        text = f"{number(alert.lower, digits)} – {number(alert.upper, digits)}"
        return f"{text} {symbol}" if symbol else text
    return measured(alert.expected, alert.unit, digits)


def limit(alert: Alert) -> float | None:
    """The fixed limit the value was held against, where a reason names one."""
    for reason in alert.reasons:
        found = reason.parameters.get("limit")
        if isinstance(found, int | float):
            return float(found)
    return None


def _say_reason(reason: Reason, view: AlertView, alert: Alert, words: Wording) -> str:
    key = f"reason.{reason.code}"
    values = _values(reason.parameters, view, alert, words)
    if key in words and placeholders(words.texts[key]) <= values.keys():
        return words.say(key, **values)
    return unknown("reason", reason.code, reason.parameters, words)


def unknown(family: str, code: str, parameters: Mapping[str, Any], words: Wording) -> str:
    """A code without words, shown as it is."""
    listed = ", ".join(f"{name} {_shown(value)}" for name, value in parameters.items() if value is not None)
    return words.say(
        f"{family}.unknown" if listed else f"{family}.unknown_bare", code=code, parameters=listed
    )


def _plain(view: AlertView, alert: Alert, words: Wording) -> str:
    name, digits = quantity(view, words), digits_for(view.resolution)
    if alert.value is None:
        return words.say("reason.silence", quantity=name)
    value = measured(alert.value, alert.unit, digits)
    if alert.lower is not None and alert.upper is not None and not alert.lower <= alert.value <= alert.upper:
        edge, key = (
            (alert.upper, "above_expected") if alert.value > alert.upper else (alert.lower, "below_expected")
        )
        difference = measured(
            abs(alert.value - (edge if alert.expected is None else alert.expected)), alert.unit, digits
        )
        lower, upper = number(alert.lower, digits), measured(alert.upper, alert.unit, digits)
        return words.say(
            f"reason.{key}", quantity=name, value=value, difference=difference, lower=lower, upper=upper
        )
    return words.say("reason.plain", quantity=name, value=value)


def _values(parameters: Mapping[str, Any], view: AlertView, alert: Alert, words: Wording) -> dict[str, str]:
    digits = digits_for(view.resolution)
    own = {"value": alert.value, "expected": alert.expected, "lower": alert.lower, "upper": alert.upper}
    given = {name: value for name, value in own.items() if value is not None} | dict(parameters)
    if "expected" in given and "value" in given and "difference" not in given:
        given["difference"] = abs(float(given["value"]) - float(given["expected"]))
    shown = {name: _worded(name, value, alert.unit, digits, words) for name, value in given.items()}
    return shown | {"quantity": quantity(view, words), "unit": unit_symbol(alert.unit)}


def _worded(name: str, value: Any, unit: str, digits: int, words: Wording) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name.endswith("_s"):
        return span(value, words)
    if name in _IN_UNIT:
        return measured(float(value), unit, digits)
    return number(float(value), digits)


def _shown(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(float(value))
    return str(value)
