"""What devices behind a broker say: each case is a file in cases/devices, played through a real broker.

The messages have the shapes that the projects document (`source`), with values of our own. `before` is said,
and kept by the broker where retained, before the driver comes; `then` after it listens. `readings` are
[channel, value or null, the time in s if the device has one]; `problem` is what the driver must say at last,
`log` what must stand in the log.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from driver_cases import Publisher, device

from edge_agent.drivers.seam import Batch, Driver, DriverError
from edge_agent.drivers.table import make_driver
from models.clock import SystemClock

pytestmark = pytest.mark.integration
CASES = sorted((Path(__file__).parent / "cases/devices").glob("*.json"))


def say(publisher: Publisher, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        publisher.publish(message["topic"], message["payload"], retain=message.get("retain", False))


def rows_of(batch: Batch) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for row in range(len(batch)):
        value = float(batch.value[row])
        time = [] if batch.time is None else [round(int(batch.time[row]) / 1e9, 3)]
        rows.append([int(batch.channel[row]), None if math.isnan(value) else value, *time])
    return rows


def listened(driver: Driver, readings: list[list[Any]], patience_s: float) -> None:
    """Until the device has been silent for a while."""
    while (batch := driver.read(patience_s)) is not None:
        readings += rows_of(batch)
        driver.taken(batch)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_recorded_device(file, broker, caplog):
    case = json.loads(file.read_text())
    publisher = Publisher(broker.port)
    say(publisher, case["before"])
    settings = {"host": "127.0.0.1", "port": broker.port, "client_id": "agent", **case["settings"]}
    driver = make_driver(device(case["driver"], settings, case["sources"]), SystemClock())
    driver.open(None)
    readings: list[list[Any]] = []
    problem = ""
    try:
        listened(driver, readings, 1.5)  # a subscription takes a moment to stand
        assert readings == [], "what was said before is of unknown age"
        say(publisher, case["then"])
        listened(driver, readings, 1.0)
    except DriverError as wrong:
        problem = str(wrong)
    driver.close()
    publisher.close()
    assert readings == case["readings"]
    assert case.get("problem", "") in problem
    assert bool(problem) == ("problem" in case)
    assert case.get("log", "") in caplog.text


def test_there_is_a_case_of_every_family():
    families = {json.loads(file.read_text())["driver"] for file in CASES}
    assert families == {"zigbee2mqtt", "chirpstack", "tasmota", "esphome", "homeassistant"}
