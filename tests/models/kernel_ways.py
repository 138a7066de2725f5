"""All that kernels compute, over troubled readings, as digests: run once by each way to machine code.

python tests/models/kernel_ways.py prints JSON: the way, whether numba was loaded, and a digest of all that a
detector, a trigger or a codec gave.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
from troubled import troubled

import models.compile
from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.bank import Trait
from models.detectors.registry import DETECTORS, make_bank
from models.lab.warm import NEEDED
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.columns import decode_columns, encode_columns
from models.wire.messages import ChannelEntry
from models.wire.senml import senml_table

SECOND = 1_000_000_000


def house(channels: int) -> ReadingBlock:
    """Troubled channels beside each other, row by row."""
    lives = [troubled(seed, 900) for seed in range(channels)]
    time = np.stack([life[0] for life in lives], axis=1).ravel()
    order = np.argsort(time, kind="stable")
    rest = [np.stack([life[part] for life in lives], axis=1).ravel()[order] for part in (1, 2)]
    return ReadingBlock.of(np.tile(np.arange(channels), 900)[order], time[order], *rest)


def short_warm_up(name: str) -> dict[str, float]:
    """Two hours, or the least a detector takes; nothing where it learns nothing."""
    field = DETECTORS[name].parameters.model_fields.get("warmup_s")
    if field is None:
        return {}
    return {"warmup_s": max([7200.0, *(bound.ge for bound in field.metadata if hasattr(bound, "ge"))])}


def of_bank(name: str, channels: int) -> str:
    """Scores in blocks of several sizes with time passing between them, and what was learned."""
    told, block = hashlib.sha256(), house(channels)
    entry = DETECTORS[name]
    kind = "temperature" if entry.works_on("temperature") else entry.kinds[0]
    traits = [Trait(kind, "Cel", 0.1, f"c{number}") for number in range(channels)]
    parameters = NEEDED.get(name, {}) | short_warm_up(name)
    bank = make_bank(name, parameters, range(channels), traits)
    at, sizes = 0, (1, 2, 7, 100, 499)
    for turn in range(10_000):
        piece = block.rows(at, at + sizes[turn % len(sizes)])
        if not len(piece):
            break
        scores = bank.score(piece)
        told.update(scores.table.tobytes() + scores.flags.tobytes())
        judged = bank.advance(int(piece.time[-1]) // SECOND * SECOND)
        if judged is not None:
            told.update(judged.slot.tobytes() + judged.at.tobytes() + judged.table.tobytes())
        at += len(piece)
    told.update(bank.snapshot())
    return told.hexdigest()


def of_monitor(budget: float | None) -> str:
    channels = {number: ChannelEntry(number=number, name=f"c{number}") for number in range(3)}
    config = MonitorConfig(
        name="m",
        detector="ewma",
        parameters={"warmup_s": 3600.0},
        channels=tuple(entry.name for entry in channels.values()),
        hazard="fire",
        trigger=TriggerConfig(on=3, on_delay_s=1, off_delay_s=90, budget_per_week=budget),
    )
    monitor, told = Monitor(config, channels, gateway="gw"), hashlib.sha256()
    block = house(3)
    for at in range(0, len(block), 250):
        for alert in drive([monitor], block.rows(at, at + 250)):
            told.update(str(alert).encode())
    told.update(monitor.snapshot())
    return told.hexdigest()


def of_codecs() -> str:
    told = hashlib.sha256()
    for channels in (1, 3):
        body = encode_columns(house(channels), np.full(channels, 0.1))
        told.update(body)
        told.update(b"".join(column.tobytes() for column in decode_columns(body).columns()))
    told.update(repr(senml_table(b'[{"bn":"d/","n":"c","v":1.5},{"n":"e","vb":true}]', "json", 0.0)).encode())
    return told.hexdigest()


def main() -> None:
    names = [name for name, entry in DETECTORS.items() if entry.is_installed and not entry.needs]
    digests = {
        f"{name} of {channels}": of_bank(name, channels)
        for name in names
        for channels in sorted({DETECTORS[name].fewest, 3})
    }
    digests |= {"trigger": of_monitor(None), "budget": of_monitor(5.0), "codecs": of_codecs()}
    way = models.compile.way()
    print(json.dumps({"way": way, "numba": "numba" in sys.modules, "digests": digests}))


if __name__ == "__main__":
    main()
