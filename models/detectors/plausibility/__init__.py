"""Fault apart from hazard: may this reading be believed, or does the equipment speak?

`examine` is called for every row of a channel in order, before anything else looks at it, and answers with
one of the verdicts below. What to do on each:

    OK         score it, learn it
    DOUBTED    score it, do not learn it (it stands still longer than ever, or it is late)
    HELD       neither: it jumped, and one reading cannot tell a spike from a burst pipe. At most two rows
               in a row are held; the next one is OK (it was a spike), RELEASED (it was real) or FAULTY
    FAULTY     neither: the equipment speaks; `state.fault` says how
    RELEASED   the jump was real: score it against what was expected before the jump, learn it
    RECOVERED  the first believable row after a fault or a long silence: what was learned may stand where the
               channel was long ago. Set the level to the value, do not score this row

A fault never hides a hazard for longer than the hold: after a fault a value is believed at once where the
channel has lately been, and otherwise must stand for three rows, and is then RELEASED and scored.

`state.fault` is the fault of the present episode, which ends after CALM_ROWS believable rows in a row, up to
LOOSE_TIMES as many where values jumped, so a plug that is loose for an hour is one episode. `state.drift` is
+1 or -1 while the level drifts; drifting rows are believed, scored and learned, since a drift seen in weeks
must not hide a fire.

To embed it: put PLAUSIBILITY in the bank's dtype, after a field of the bank's own (a record that begins as
another one does is taken for it by numba, which warns) or as a record of its own, PLAUSIBILITY_TIMES among
its `times`, EVIDENCE among its `evidence`, call `begin_plausibility(states, traits)` in `_begin`, and
`examine` per row. The record costs 235 bytes. `fault` has it among its fields, `default` as a record.

What is learned of a channel: its usual pace, the tallest ordinary step and the longest ordinary rest, both
fading over `memory`, the range it has been in, its day-to-day sway. What its kind says beforehand stands in
`natures`: a door may jump, a battery may rest, a smoke head's rise is never put down to the equipment.

Sources: IOOS QARTOD 2020 (gap, gross range, spike, flat line); Sharma, Golubchik, Govindan 2010, "Sensor
faults: detection methods and prevalence in real-world datasets".
"""

from __future__ import annotations

from models.detectors.plausibility.examine import examine
from models.detectors.plausibility.pace import fall_silent, is_regular, silent_after
from models.detectors.plausibility.record import (
    DOUBTED,
    DRIFTING,
    DROPOUT,
    ERRATIC,
    EVIDENCE,
    FAULTY,
    HELD,
    NO_FAULT,
    OK,
    PLAUSIBILITY,
    PLAUSIBILITY_TIMES,
    RANGE,
    RECOVERED,
    RELEASED,
    SILENT,
    SPIKE,
    STUCK,
    UNIT,
    begin_plausibility,
    teaches,
)

__all__ = [
    "DOUBTED",
    "DRIFTING",
    "DROPOUT",
    "ERRATIC",
    "EVIDENCE",
    "FAULTY",
    "HELD",
    "NO_FAULT",
    "OK",
    "PLAUSIBILITY",
    "PLAUSIBILITY_TIMES",
    "RANGE",
    "RECOVERED",
    "RELEASED",
    "SILENT",
    "SPIKE",
    "STUCK",
    "UNIT",
    "begin_plausibility",
    "examine",
    "fall_silent",
    "is_regular",
    "silent_after",
    "teaches",
]
