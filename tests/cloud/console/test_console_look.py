"""The stylesheet's promises: enough contrast, light and dark from the same names, one of each scale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cloud.web.console

STYLE = (Path(cloud.web.console.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
BLOCKS = re.findall(r":root(?:[^{]*)\{([^{}]*--paper[^{}]*)\}", STYLE)
SEVERITIES = ("extreme", "severe", "moderate", "minor")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,8})\b", block))


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) > 4 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_light_and_dark_are_the_same_names() -> None:
    light, switched_by_system, switched_by_hand = (colours(block) for block in BLOCKS)
    assert light.keys() == switched_by_system.keys()
    assert switched_by_system == switched_by_hand


@pytest.mark.parametrize("block", BLOCKS[:2], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(block: str) -> None:
    tokens = colours(block)
    grounds = ("paper", "surface")
    pairs = [(ink, ground) for ground in grounds for ink in ("ink", "soft", "accent", *SEVERITIES)]
    pairs += [(name, f"wash-{name}") for name in SEVERITIES]
    pairs += [("on-accent", "accent"), ("accent", "accent-soft"), ("soft", "sunken"), ("ink", "wash-severe")]
    weak = {pair: contrast(tokens[pair[0]], tokens[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("block", BLOCKS[:2], ids=["light", "dark"])
def test_edges_of_fields_are_seen(block: str) -> None:
    tokens = colours(block)
    assert contrast(tokens["edge"], tokens["surface"]) >= 3
    assert contrast(tokens["edge"], tokens["paper"]) >= 3


def test_sizes_come_from_the_scale() -> None:
    rules = STYLE.split("/* Ground */")[1]
    sizes = re.findall(r"font-size: ([^;}]+)", rules)
    assert {one.strip() for one in sizes} <= {f"var(--t{step})" for step in range(5)} | {".92em", "inherit"}
