"""The catalogue as a page: docs/detectors.md is made by this from the registry, so it cannot lie.

Nothing on it depends on what is installed where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = """# Detectors

<!-- Do not edit. Made by: lastmile-lab catalogue --markdown > docs/detectors.md -->

What there is to choose from, as `models/detectors/registry.py` and `purposes.py` say it; a test holds this
page equal to them. Make it anew with

    lastmile-lab catalogue --markdown > docs/detectors.md
    python tests/bench/draw_detectors.py        # the pictures, where the recordings are at hand

A learned score is surprise: 3 means one reading in a thousand on this channel's own past, and 9.9 is the
most. A rule scores 0 or 10. The trigger decides: a threshold, delays, or an alarm budget (`budget_per_week`).

In the pictures the threshold is fixed, and nothing is set but what stands under the title; known events are
those that whoever made the recording has labelled. One recording shows what a detector looks for, not what it
is worth: that is measured in [nab.md](nab.md) and [calibration.md](calibration.md).

| detector | title | suits | learns | ns a reading | bytes a channel | warm-up |
|---|---|---|---|---|---|---|
"""
_NAMED = 4  # kinds that the table names; the section names all
_BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)


def as_markdown(entries: Sequence[Mapping[str, Any]]) -> str:
    """All entries as Markdown, each with its picture in docs/pictures."""
    rows = "\n".join(_overview(entry) for entry in entries)
    return HEAD + rows + "\n\n" + "\n".join(_section(entry) for entry in entries)


def _overview(entry: Mapping[str, Any]) -> str:
    kinds = entry["kinds"]
    more = f" and {len(kinds) - _NAMED} more" if len(kinds) > _NAMED else ""
    cells = (
        f"[{entry['name']}](#{entry['name']})",
        f"{entry['title']}<br>{entry['title_zh']}",
        (", ".join(kinds[:_NAMED]) or "any") + more,
        "yes" if entry["learned"] else "no",
        f"{entry['cost_ns']:,}",
        f"{entry['bytes_per_channel']:,}",
        entry["warm_up"],
    )
    return f"| {' | '.join(cells)} |"


def _section(entry: Mapping[str, Any]) -> str:
    suits = ", ".join(entry["kinds"]) or "any channel"
    needs = f" Needs the package `{entry['needs']}`; no gateway has it." if entry["needs"] else ""
    lines = [f"## {entry['name']}", "", f"**{entry['title']}.** {entry['text']}", ""]
    lines += [f"**{entry['title_zh']}。** {entry['text_zh']}", ""]
    lines += [f"![{entry['name']} on a recording](pictures/{entry['name']}.svg)", ""]
    lines += [
        f"Suits {suits}. Warm-up: {entry['warm_up']}. Source: {entry['source']}.{needs}",
        "",
        "Reasons it gives:",
        "",
    ]
    lines += [f"- `{code}`: {meaning}" for code, meaning in entry["reasons"].items()]
    lines += ["", "| parameter | default | range | meaning |", "|---|---|---|---|"]
    lines += [_row(field) for field in entry["parameters"]]
    return "\n".join([*lines, ""])


def _row(field: Mapping[str, Any]) -> str:
    meaning = f"{field['title']}. {field['description']}<br>{field['title_zh']}。{field['description_zh']}"
    return f"| `{field['name']}` | {_default(field)} | {_range(field)} | {meaning} |"


def _default(field: Mapping[str, Any]) -> str:
    if field["required"]:
        return "must be given"
    if field["default"] in (None, [], ()):
        return "none"
    return f"{_number(field['default'])} {field['unit']}".strip()


def _range(field: Mapping[str, Any]) -> str:
    bounds = [f"{word} {_number(field[key])}" for key, word in _BOUNDS if key in field]
    if "pattern" in field:
        bounds.append(field["pattern"].strip("^$()").replace("|", ", "))
    return ", ".join(bounds)


def _number(value: Any) -> str:
    return f"{value:,.12g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
