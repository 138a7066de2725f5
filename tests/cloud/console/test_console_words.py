"""The catalogue: both languages say the same things, and every code there is has words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cloud.dispatch.limits import Clock
from cloud.dispatch.states import TaskState
from cloud.incidents.states import IncidentState
from cloud.incidents.timeline import CODES
from cloud.ingest.quarantine import FLAGGED
from cloud.web.console.wording import LANGUAGES, Wording, placeholders, wording
from models.alert import AlertKind, AlertState, Severity
from models.detectors.plausibility.conversions import CONVERSIONS
from models.detectors.purposes import PURPOSES
from models.outcome import Verdict

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "cloud" / "web" / "console"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
# Filled in beside an entry's own parameters.
ADDED = {"measured"}


def plain_keys(words: Wording) -> set[str]:
    return {key for key in words.texts if not key.endswith(".one")}


def reason_codes() -> set[str]:
    """Codes that any detector gives: those written in the source, Reason(code="..."), and the catalogue's."""
    found = {code for purpose in PURPOSES.values() for code in purpose.reasons}
    for path in (ROOT / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason":
                codes = [word.value for word in node.keywords if word.arg == "code"]
                found |= {code.value for code in codes if isinstance(code, ast.Constant)}
    return found


def test_languages_have_the_same_keys() -> None:
    assert plain_keys(wording("en")) == plain_keys(wording("zh"))


def test_languages_have_the_same_placeholders() -> None:
    english, chinese = wording("en").texts, wording("zh").texts
    different = {
        key for key in english.keys() & chinese if placeholders(english[key]) != placeholders(chinese[key])
    }
    assert different == set()


def test_singulars_stand_beside_plurals() -> None:
    texts = wording("en").texts
    alone = {key for key in texts if key.endswith(".one") and f"{key[:-4]}.other" not in texts}
    assert alone == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_timeline_code_has_words_that_its_parameters_fill(language: str) -> None:
    words = wording(language)
    for code, parameters in CODES.items():
        assert f"timeline.{code}" in words, code
        assert placeholders(words.texts[f"timeline.{code}"]) <= {*parameters, *ADDED}, code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_code_has_words(language: str) -> None:
    codes = reason_codes()
    assert {"above_limit", "unexpected", "silent"} <= codes
    texts = wording(language).texts
    assert {code for code in codes if not any(key.startswith(f"reason.{code}") for key in texts)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_unit_that_a_sensor_may_mistake_has_a_word(language: str) -> None:
    names = {one.name for one in CONVERSIONS} - {"none", "times"}
    assert {f"told_in.{name}" for name in names} <= wording(language).texts.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_enumerated_code_has_a_word(language: str) -> None:
    wanted = {
        "severity": Severity,
        "kind": AlertKind,
        "state": IncidentState,
        "task": TaskState,
        "clock": Clock,
        "verdict": Verdict,
        "alert": AlertState,
        "closing": Verdict,
    }
    texts = wording(language).texts
    assert {f"{family}.{code.value}" for family, codes in wanted.items() for code in codes} <= texts.keys()
    assert {f"fleet.flag_{code}" for code in FLAGGED} <= texts.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_written_hazard_has_a_word(language: str) -> None:
    section = ARCHITECTURE.read_text(encoding="utf-8").split("## Severity, hazards")[1]
    hazards = re.search(r"`(fire [a-z ]+)`", section)
    faults = re.search(r"name: `([a-z ]+)`", section)
    assert hazards and faults
    texts = wording(language).texts
    assert {f"hazard.{one}" for one in (hazards[1] + " " + faults[1]).split()} <= texts.keys()


def test_every_reason_for_an_assignment_has_words() -> None:
    source = (ROOT / "cloud" / "dispatch" / "choice.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r"because='(\w+)'", source))
    assert "escalation" in reasons
    for language in LANGUAGES:
        assert {f"because.{one}" for one in reasons} <= wording(language).texts.keys()


def test_every_key_that_templates_and_modules_say_exists() -> None:
    words = wording("en")
    said: set[str] = set()
    for path in [*CONSOLE.glob("templates/*.html"), *CONSOLE.glob("static/*.js"), *CONSOLE.glob("*.py")]:
        # A key that is put together (followed by ~ or +) is not told by its beginning.
        said |= set(re.findall(r"\bsay\(\s*[\"']([a-z_0-9.]+)[\"']\s*[,)]", path.read_text(encoding="utf-8")))
    assert len(said) > 100
    assert {key for key in said if key not in words and not key.startswith("n")} == set()


def test_an_unknown_code_is_said_as_it_is() -> None:
    assert wording("zh").word("hazard", "<b>meteor</b>") == "<b>meteor</b>"
