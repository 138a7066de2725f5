"""What thinning saves on real recordings, beside the same telemetry at full rate, in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telemetry import Telemetry, recordings

from edge_agent.outbox.thinning import thin_block
from models.configuration import ThinConfig
from models.readings import ReadingBlock
from models.wire.columns import encode_columns

MESSAGE = 500
STEPS = (1, 2, 5)  # error, in resolutions of the channel


def rows() -> list[dict[str, Any]]:
    """Bytes a reading by recording and error; the peer is every value as it was measured."""
    table = []
    for telemetry in recordings(30_000):
        messages = telemetry.messages(MESSAGE)
        full = bytes_a_reading(telemetry, messages)
        for steps in STEPS:
            thin = {number: config(telemetry, number, steps) for number in range(len(telemetry.names))}
            told = [thin_block(message, thin, telemetry.resolution) for message in messages]
            thinned = bytes_a_reading(telemetry, told)
            table.append(
                {
                    "name": f"thinning, {telemetry.name}, within {steps} resolutions",
                    "value": round(thinned, 3),
                    "unit": "bytes a reading",
                    "peer": "values as measured",
                    "peer_value": round(full, 3),
                    "ratio": round(full / thinned, 2),
                }
            )
    return table


def bytes_a_reading(telemetry: Telemetry, messages: Sequence[ReadingBlock]) -> float:
    sizes = [len(encode_columns(message, telemetry.resolution)) for message in messages]
    return sum(sizes) / sum(map(len, messages))


def config(telemetry: Telemetry, number: int, steps: int) -> ThinConfig:
    return ThinConfig(error=steps * (float(telemetry.resolution[number]) or 0.01))
