"""An alert's reasons in the reader's words: codes with parameters become sentences here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cloud.web.console.moments import span
from cloud.web.console.quantities import digits_for, digits_of, measured, number, unit_symbol
from cloud.web.console.queries.incidents import AlertView
from cloud.web.console.wording import Wording, placeholders
from models.alert import Alert, Reason

# How a parameter of a reason is meant: measured or written down in the channel's unit, a span of seconds, per
# second. What is not named here is a bare number. First by code and name, then by name alone.
_MEANT = {
    "value": "unit",
    "expected": "unit",
    "lower": "unit",
    "upper": "unit",
    "difference": "unit",
    "change": "unit",
    "start": "unit",
    "limit": "written",
    "seconds": "span",
    "longest": "span",
    "period": "span",
    "per_s": "rate",
    "factor": "exact",
    "silent.limit": "span",
    "flat.limit": "span",
    "held.limit": "span",
    "held.state": "written",
    "lasted.state": "written",
    "too_many.expected": "number",
    "too_few.expected": "number",
    "rate.limit": "rate",
}
# Codes whose `limit` is a line that can be drawn through the readings.
_LINES = ("above_limit", "below_limit", "dwelt")
_MINUTE_S = 60


class Part(NamedTuple):
    """One reason in words. `share`: how much of the score it gave, empty where it gave all."""

    text: str
    share: str


def reasons(view: AlertView, words: Wording) -> list[str]:
    """Why the alert fired, one sentence a reason; at least one."""
    return [part.text for part in parts(view, words)]


def parts(view: AlertView, words: Wording) -> list[Part]:
    """The same with each one's share of the score."""
    alert = view.alert
    if alert is None:
        return [Part(words.word("hazard", view.hazard), "")]
    said = [
        Part(_say_reason(reason, view, alert, words), _say_share(reason.share, words))
        for reason in alert.reasons
    ]
    return [part for part in said if part.text] or [Part(_plain(view, alert, words), "")]


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


def band(alert: Alert, digits: int | None) -> str:
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
        if reason.code in _LINES and isinstance(found, int | float):
            return float(found)
    return None


def unknown(family: str, code: str, parameters: Mapping[str, Any], words: Wording) -> str:
    """A code without words, shown as it is."""
    listed = ", ".join(f"{name} {_shown(value)}" for name, value in parameters.items() if value is not None)
    return words.say(
        f"{family}.unknown" if listed else f"{family}.unknown_bare", code=code, parameters=listed
    )


def _say_share(share: float, words: Wording) -> str:
    return words.say("alert.share", percent=number(100 * share, 0)) if share < 0.995 else ""


def _say_reason(reason: Reason, view: AlertView, alert: Alert, words: Wording) -> str:
    given = _given(reason, alert)
    key = f"reason.{_variant(reason.code, given, view, alert, words)}"
    values = {name: _worded(reason.code, name, value, view, alert, words) for name, value in given.items()}
    values["quantity"] = quantity(view, words)
    values["usual"] = _usual(values, words)
    if key in words and placeholders(words.texts[key]) <= values.keys():
        return words.say(key, **values)
    return unknown("reason", reason.code, reason.parameters, words)


def _given(reason: Reason, alert: Alert) -> dict[str, Any]:
    """The reason's parameters that have a value, and what follows from them."""
    given = {name: value for name, value in reason.parameters.items() if value is not None}
    if alert.value is not None:
        given.setdefault("value", alert.value)
    if _are_numbers(given.get("value"), given.get("expected")):
        given["difference"] = abs(given["value"] - given["expected"])
    return given


def _variant(code: str, given: Mapping[str, Any], view: AlertView, alert: Alert, words: Wording) -> str:
    """The key of the sentence: which way it went, and whether the channel has two states alone."""
    if code in ("above_limit", "below_limit") and _state(given.get("value"), view, words):
        return "is_state"
    if code == "unexpected" and "difference" in given:
        by_hour = alert.detector.startswith(("time_of_day", "season"))
        base = "unexpected_hour" if by_hour else "unexpected"
        return f"{base}_{'high' if given['value'] > given['expected'] else 'low'}"
    if code == "shifted" and "difference" in given:
        return f"shifted_{'high' if given['value'] > given['expected'] else 'low'}"
    if code == "dwelt" and _are_numbers(given.get("value"), given.get("limit")):
        return f"dwelt_{'above' if given['value'] > given['limit'] else 'below'}"
    if code == "lasted" and not _state(given.get("state"), view, words):
        return "lasted_on" if given.get("state") else "lasted_off"
    if code == "rate" and _are_numbers(given.get("per_s")):
        return "rate_rise" if given["per_s"] > 0 else "rate_fall"
    return _variant_of_fault(code, given)


def _variant_of_fault(code: str, given: Mapping[str, Any]) -> str:
    """The key of a sentence about the equipment, by what is known of the fault; other codes as they are."""
    if code == "silent" and "limit" not in given:
        return "silent_usual" if given.get("period") else "silent_bare"
    if code in ("spike", "erratic") and "expected" not in given:
        return f"{code}_bare"
    if code == "dropout" and "value" not in given:
        return "dropout_bare"
    if code == "unit_jump" and given.get("looks_like") == "times":
        return "unit_jump_times"
    return code


def _usual(values: Mapping[str, str], words: Wording) -> str:
    """What was expected, as far as it is known: both edges, one, or the middle."""
    edges = "both" if {"lower", "upper"} <= values.keys() else ""
    edges = edges or next((edge for edge in ("lower", "upper") if edge in values), "none")
    return words.say(f"reason.usual_{edges}", **{"expected": "?"} | dict(values))


def _plain(view: AlertView, alert: Alert, words: Wording) -> str:
    """What can be said of an alert that gives no reason."""
    name = quantity(view, words)
    if alert.value is None:
        return words.say("reason.nothing", quantity=name)
    state = _state(alert.value, view, words)
    if state:
        return words.say("reason.is_state", quantity=name, value=state)
    return words.say("reason.plain", quantity=name, value=measured(alert.value, alert.unit, _digits(view)))


def _worded(code: str, name: str, value: Any, view: AlertView, alert: Alert, words: Wording) -> str:
    if not _are_numbers(value):
        return words.word("told_in", value) if name == "looks_like" else str(value)
    meant = _MEANT.get(f"{code}.{name}") or _MEANT.get(name, "number")
    digits = _digits(view)
    if meant == "span":
        return span(value, words)
    if meant == "rate":
        rate = measured(abs(value) * _MINUTE_S, alert.unit, digits)
        return words.say("reason.per_minute", value=rate)
    if meant == "number":
        return number(float(value))
    if meant == "exact":
        return number(float(value), digits_of(float(value), 0))
    if meant == "written":
        digits = digits_of(float(value), digits)
    return _state(value, view, words) or measured(float(value), alert.unit, digits)


def _state(value: Any, view: AlertView, words: Wording) -> str:
    """The word for 0 or 1 of a channel that has no other values; empty for any other."""
    if value not in (0, 1):
        return ""
    return words.texts.get(f"binary.{view.channel_kind}_{int(value)}", "")


def _digits(view: AlertView) -> int | None:
    return digits_for(view.resolution)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _shown(value: Any) -> str:
    return number(float(value)) if _are_numbers(value) else str(value)
