"""Messages of strangers: whatever is said, a driver goes on, and discovery proposes only what is good."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from driver_cases import device
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.discovery.broker_families import propose_from_broker
from edge_agent.discovery.proposal import named_apart
from edge_agent.drivers.mqtt_listener import MqttListener
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.drivers.table import make_driver
from edge_agent.mqtt_connection import Message
from models.clock import SystemClock
from models.configuration import DeviceConfig

CASES = [
    json.loads(file.read_text()) for file in sorted((Path(__file__).parent / "cases/devices").glob("*.json"))
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("offline"),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=4), inside, max_size=2),
    max_leaves=4,
)


@st.composite
def spoilt(draw: st.DrawFn, document: Any) -> Any:
    """A document in which something stands where nobody expects it."""
    if draw(st.integers(0, 3)) == 0 or not isinstance(document, dict | list) or not document:
        return draw(JUNK)
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    chosen = draw(st.sampled_from(keys))
    changed = copy.copy(document)
    changed[chosen] = draw(spoilt(document[chosen]))
    return changed


def raw(payload: Any) -> bytes:
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


@st.composite
def said(draw: st.DrawFn, case: dict[str, Any]) -> list[tuple[str, bytes]]:
    """What a recorded device says, one or two of its messages spoilt, or cut off, or noise."""
    messages = [(message["topic"], message["payload"]) for message in [*case["before"], *case["then"]]]
    spoil = draw(st.sets(st.integers(0, len(messages) - 1), min_size=1, max_size=2))
    result = []
    for place, (topic, payload) in enumerate(messages):
        whole = raw(draw(spoilt(payload)) if place in spoil else payload)
        cut = draw(st.integers(0, 20)) == 0
        result.append((topic, whole[: len(whole) // 2] if cut else whole))
    return result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"][:30])
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_message_jams_a_driver(case, data):
    driver = make_driver(
        device(case["driver"], {"host": "h", **case["settings"]}, case["sources"]), SystemClock()
    )
    assert isinstance(driver, MqttListener)
    for topic, payload in data.draw(said(case)):
        batch = driver._take(Message(1, 1, topic, payload, 1, False))
        if batch is not None:
            assert set(batch.channel.tolist()) <= set(range(len(case["sources"])))
            assert len(batch.channel) == len(batch.value)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_discovery_proposes_good_toml_whatever_it_hears(data):
    heard: dict[str, bytes] = {}
    for case in data.draw(st.lists(st.sampled_from(CASES), min_size=1, max_size=2)):
        heard |= dict(data.draw(said(case)))
    found = named_apart(propose_from_broker(heard, {"host": "h", "port": 1883}))
    text = "\n".join(each.text() for each in found)
    for each in tomllib.loads(text).get("devices", []):
        make_driver(DeviceConfig.model_validate(each), SystemClock())


@pytest.mark.parametrize("stamp", ["9999-01-01T00:00:00Z", 5e10, -5e10, 1e300, float("inf")])
def test_a_time_that_no_reading_can_hold_is_none(stamp):
    with pytest.raises(ValueError, match="not a time"):
        parse_stamp(stamp)
