"""What somebody who goes and looks finds: the truth about a place and a time, as an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware_sim.faults import FAULTS
from firmware_sim.hazards import HAZARDS
from firmware_sim.scenario import Scenario
from firmware_sim.timeline import Happening, Timeline

# An alert may begin this long after the event is over: lags, delays, a level still falling.
ECHO_S = 90.0
EARLY_S = 3.0


@dataclass(frozen=True)
class Finding:
    """An outcome without its key: the product's verdict, a cause, a note in the finder's language."""

    verdict: str
    cause: str
    note: str

    def report(self, key: str) -> dict[str, Any]:
        """The body of POST /tasks/{id}/outcome."""
        return {"key": key, "verdict": self.verdict, "cause": self.cause, "note": self.note}


NOTHING = {"en": "Looked everywhere, found nothing unusual.", "zh": "已查看，未发现异常。"}
NOBODY = {"en": "Rang twice, nobody opened. Will try again.", "zh": "敲门无人应答，稍后再来。"}


def nobody_home(language: str) -> Finding:
    """Nobody opened the door."""
    return Finding("no_access", "nobody_home", NOBODY[language])


def find(
    scenario: Scenario, timeline: Timeline, place: str, word: str, onset_s: float, language: str
) -> Finding:
    """What is found at `place` for a claim of `word` whose onset was `onset_s` (seconds of the run).

    A hazard that says so there and then is real, its look-alike a false alarm. Else a fault of a device
    there is a sensor fault; and else nothing is found.
    """
    candidates = [e for e in timeline.events if e.from_s - EARLY_S <= onset_s <= e.to_s + ECHO_S]
    hazards = [e for e in candidates if e.is_hazard and place in e.places]
    for event in sorted(hazards, key=lambda e: (e.word != word, not e.is_real, -e.from_s)):
        if event.word == word or event.is_real:
            return _hazard_found(event, language)
    homes = {device.name: device.place for device in scenario.devices()}
    faults = [e for e in candidates if not e.is_hazard and homes.get(e.device) == place]
    for event in sorted(faults, key=lambda e: (e.word != word, -e.from_s)):
        return _fault_found(event, language)
    return Finding("false_alarm", "nothing_found", NOTHING[language])


def _hazard_found(event: Happening, language: str) -> Finding:
    hazard = HAZARDS[event.what]
    note = hazard.note_zh if language == "zh" else hazard.note_en
    return Finding("real" if hazard.is_real else "false_alarm", hazard.cause, note)


def _fault_found(event: Happening, language: str) -> Finding:
    fault = FAULTS[event.what]
    note = fault.note_zh if language == "zh" else fault.note_en
    return Finding("sensor_fault", fault.cause, note)
