"""The ground both ends stand on: blocks, rounding, identity, clock, alert states, documents."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import models
from models.alert import AlertState, Severity, next_state
from models.clock import EARLIEST_NS, SECOND_NS, SystemClock, VirtualClock
from models.configuration import GatewayDocument
from models.errors import ConfigurationError
from models.identity import alert_id, is_name
from models.readings import ReadingBlock, join_blocks, round_to_resolution, steps_to_values


def block(n, first_index=0, boot="a" * 32):
    return ReadingBlock.of(
        range(n), range(n), [float(k) for k in range(n)], first_index=first_index, boot=boot
    )


def test_blocks_that_follow_each_other_join_and_rows_keep_their_index():
    whole = join_blocks([block(3), block(4, 3), block(2, 7)])
    assert (len(whole), whole.first_index, whole.next_index) == (9, 0, 9)
    part = whole.rows(4, 6)
    assert (part.first_index, part.value.tolist()) == (4, [1.0, 2.0])
    with pytest.raises(ValueError, match="does not follow"):
        join_blocks([block(3), block(3, 4)])
    with pytest.raises(ValueError, match="does not follow"):
        join_blocks([block(3), block(3, 3, boot="b" * 32)])
    with pytest.raises(ValueError, match="at least one"):
        join_blocks([])
    with pytest.raises(ValueError, match="equally long"):
        ReadingBlock.of([1], [1, 2], [1.0])


@given(
    st.integers(-(10**9), 10**9), st.sampled_from([0.001, 0.01, 0.1, 0.0625, 0.25, 0.5, 1.0, 2.0, 5.0, 0.3])
)
def test_rounding_is_idempotent_and_the_wire_can_rebuild_it(steps, resolution):
    value = steps_to_values(np.array([float(steps)]), resolution)
    assert round_to_resolution(value, resolution).tolist() == value.tolist()
    assert np.rint(value / resolution).tolist() == [float(steps)]


def test_resolution_zero_leaves_values_alone():
    assert round_to_resolution(np.array([0.123456]), 0.0).tolist() == [0.123456]


def test_ids_differ_with_each_of_their_parts_and_never_run_together():
    parts = [
        ("g", "m", "b", 1),
        ("g2", "m", "b", 1),
        ("g", "m2", "b", 1),
        ("g", "m", "b2", 1),
        ("g", "m", "b", 2),
    ]
    assert len({alert_id(*part) for part in parts}) == len(parts)
    assert alert_id("ab", "c", "d", 1) != alert_id("a", "bc", "d", 1)


@pytest.mark.parametrize(
    ("text", "good"),
    [("gw-1", True), ("", False), ("Gw", False), ("a/b", False), ("a+", False), ("-a", False)],
)
def test_names_are_safe_in_topics_paths_and_urls(text, good):
    assert is_name(text) is good


def test_a_virtual_clock_steps_the_wall_and_never_the_monotonic_time():
    clock = VirtualClock(EARLIEST_NS, "a" * 32)
    clock.sleep(2)
    clock.step(-3600)
    assert clock.wall_ns() == EARLIEST_NS - 3598 * SECOND_NS
    assert clock.monotonic_ns() == 2 * SECOND_NS
    clock.reboot("b" * 32)
    assert (clock.monotonic_ns(), clock.boot()) == (0, "b" * 32)


def test_the_system_clock_names_its_boot_and_runs_forward():
    clock = SystemClock()
    assert len(clock.boot()) == 32 and int(clock.boot(), 16) >= 0
    assert clock.monotonic_ns() <= clock.monotonic_ns()
    assert clock.wall_ns() > EARLIEST_NS


@given(st.lists(st.sampled_from(AlertState), max_size=6))
def test_resolved_is_final_whatever_is_claimed(claims):
    now = AlertState.PENDING
    for claim in claims:
        before, (now, reason) = now, next_state(now, claim)
        assert reason in ("moved", "same", "refused")
        assert (reason == "moved") == (now != before)
        if before == AlertState.RESOLVED:
            assert now == AlertState.RESOLVED


def test_severities_rank_mildest_first():
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]


def document(**changes):
    channel = {"name": "t", "kind": "temperature", "source": "t"}
    device = {"name": "d", "driver": "mqtt", "channels": [channel]}
    monitor = {"name": "m", "detector": "limit", "channels": ["t"], "hazard": "fire"}
    base = {"gateway": "gw-1", "version": 1, "issued_at": 1, "devices": [device], "monitors": [monitor]}
    return {**base, **changes}


def test_documents_refuse_what_does_not_fit():
    assert GatewayDocument.model_validate(document()).channel_names() == ["t"]
    given = document()
    for change, told in (
        ({"devices": given["devices"] * 2}, "channel named twice"),
        ({"monitors": given["monitors"] * 2}, "monitor named twice"),
        ({"monitors": [{**given["monitors"][0], "channels": ["u"]}]}, "unknown channels"),
        ({"version": 0}, "greater than or equal to 1"),
        ({"surprise": 1}, "Extra inputs"),
    ):
        with pytest.raises(ValidationError, match=told):
            GatewayDocument.model_validate(document(**change))


def test_configuration_errors_name_file_line_key_and_what_was_expected():
    error = ConfigurationError("is 0", file="gateway.toml", line=7, key="period_s", expected="more than 0")
    assert str(error) == "gateway.toml:7: period_s: is 0 (expected more than 0)"
    assert error.exit_code == 78


MODULES = [
    found.name
    for found in pkgutil.walk_packages(models.__path__, "models.")
    if not found.name.startswith(("models.wire", "models.machine_code.kernels_"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
