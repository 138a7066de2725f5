"""The catalogue of texts: one file a language, the same keys and placeholders in each."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT = "en"
_FOLDER = Path(__file__).parent / "words"
_FORMATTER = string.Formatter()


class Wording:
    """Texts of one language.

    >>> Wording("en", {"n.one": "{n} new", "n.other": "{n} new ones"}).say("n", n=2)
    '2 new ones'
    """

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language, self.texts = language, texts

    def __contains__(self, key: str) -> bool:
        return key in self.texts or f"{key}.other" in self.texts

    def say(self, key: str, /, **values: Any) -> str:
        """The text for `key` with its placeholders filled; the singular where `n` is 1.

        KeyError when the catalogue lacks the key or the caller a value: a mistake of ours, found by tests.
        """
        text = self.texts.get(key)
        if text is None:
            is_one = values.get("n") == 1 and f"{key}.one" in self.texts
            text = self.texts[f"{key}.one" if is_one else f"{key}.other"]
        return text.format_map(values)

    def word(self, family: str, code: str | None) -> str:
        """The word for a code of a family (`hazard`, `state`, ...); an unknown code as it is."""
        if not code:
            return ""
        return self.texts.get(f"{family}.{code}", code)

    def some(self, *beginnings: str) -> dict[str, str]:
        """All texts whose keys begin so, for the page's own modules."""
        return {key: text for key, text in self.texts.items() if key.startswith(beginnings)}


@cache
def wording(language: str) -> Wording:
    """Texts of a language; of English when we do not speak it."""
    name = language if language in LANGUAGES else DEFAULT
    with (_FOLDER / f"{name}.toml").open("rb") as file:
        return Wording(name, dict(_flat(tomllib.load(file))))


def placeholders(text: str) -> set[str]:
    """Names between braces.

    >>> sorted(placeholders("{low} to {high}"))
    ['high', 'low']
    """
    return {name for _, name, _, _ in _FORMATTER.parse(text) if name}


def preferred(accepted: str) -> str:
    """The language of ours that an Accept-Language header wants most.

    >>> preferred("fr, zh-CN;q=0.9, en;q=0.8")
    'zh'
    """
    ranked = sorted((_weighed(part) for part in accepted.split(",")), key=lambda pair: -pair[1])
    return next((name for name, _ in ranked if name in LANGUAGES), DEFAULT)


def _weighed(part: str) -> tuple[str, float]:
    name, _, quality = part.partition(";q=")
    try:
        weight = float(quality or 1)
    except ValueError:
        weight = 0.0
    return name.strip().split("-")[0].lower(), weight


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
