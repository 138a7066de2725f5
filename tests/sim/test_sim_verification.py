"""The comparison of ledger and store finds what is lost, doubled or wrong; and nothing where all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_rig import NOON_NS, FakeStore, make_plan, served

from firmware_sim.cli import main
from firmware_sim.cloud_api import CloudApi
from firmware_sim.device_types import load_device_types
from firmware_sim.ledger import Ledger
from firmware_sim.plan import Plan
from firmware_sim.verification import compare, stored_value, wait_until_caught_up

SECOND_NS = 1_000_000_000
GATEWAY, DEVICE = "gw-b1", "boiler"
RAW = {"flow-temperature": 612.0, "return-temperature": 495.0, "pressure": 1337.0, "burner": 1.0}


def time_of(number: int) -> int:
    return NOON_NS + number * SECOND_NS + 1_234_567


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


@pytest.fixture
def store() -> Iterator[FakeStore]:
    with served(FakeStore()) as store:
        yield store


def tell(plan: Plan, numbers: range, sure: bool = True) -> None:
    ledger = Ledger(plan.ledger_file)
    for number in numbers:
        ledger.tell(DEVICE, number, time_of(number), RAW)
        if sure:
            ledger.confirm(DEVICE, number)
    ledger.close()


def keep(
    store: FakeStore, number: int, raw: dict[str, float] | None = None, at_ns: int | None = None
) -> None:
    """Store one sample, as a gateway and a cloud that make no mistakes do."""
    at_ns = time_of(number) if at_ns is None else at_ns
    store.put(GATEWAY, f"{DEVICE}/counter", at_ns, float(number))
    for channel in load_device_types()["boiler"].channels:
        value = round((raw or RAW)[channel.name]) * channel.scale
        store.put(GATEWAY, f"{DEVICE}/{channel.name}", at_ns, value)


def found(plan: Plan, store: FakeStore) -> dict[str, int]:
    result = compare(plan, CloudApi(store.address, "secret"))
    return {"lost": result.lost, "duplicated": result.duplicated, "wrong": result.wrong}


def test_a_store_without_mistakes_is_good_over_many_pages(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 31))
    for number in range(1, 31):
        keep(store, number)
    assert found(plan, store) == {"lost": 0, "duplicated": 0, "wrong": 0}
    assert store.tokens == {"Bearer secret"}


def test_a_sure_sample_that_is_not_stored_is_lost(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 21))
    for number in set(range(1, 21)) - {4, 17}:
        keep(store, number)
    assert found(plan, store) == {"lost": 2, "duplicated": 0, "wrong": 0}


def test_an_unsure_sample_may_be_stored_or_not(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 11))
    tell(plan, range(11, 13), sure=False)
    for number in range(1, 12):
        keep(store, number)
    assert found(plan, store) == {"lost": 0, "duplicated": 0, "wrong": 0}


def test_a_sample_stored_again_at_another_time_is_duplicated(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 11))
    for number in range(1, 11):
        keep(store, number)
    keep(store, 5, at_ns=time_of(5) + 40)
    assert found(plan, store) == {"lost": 0, "duplicated": 1, "wrong": 0}


def test_readings_doubled_at_their_own_time_are_duplicated(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 4))
    for number in range(1, 4):
        keep(store, number)
    keep(store, 2)
    assert found(plan, store)["duplicated"] == 1
    store.put(GATEWAY, f"{DEVICE}/pressure", time_of(3), 1.337)
    assert found(plan, store)["duplicated"] == 2


def test_a_value_other_than_told_is_wrong(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 11))
    for number in range(1, 11):
        keep(store, number, RAW | {"pressure": 1338.0} if number == 6 else None)
    assert found(plan, store) == {"lost": 0, "duplicated": 0, "wrong": 1}


def test_a_missing_channel_of_a_stored_sample_is_wrong(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 6))
    for number in range(1, 6):
        keep(store, number)
    store.series[(GATEWAY, f"{DEVICE}/burner")].pop(2)
    assert found(plan, store) == {"lost": 0, "duplicated": 0, "wrong": 1}


def test_a_number_never_told_is_wrong(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 4))
    for number in (1, 2, 3, 99):
        keep(store, number)
    assert found(plan, store)["wrong"] > 0


def test_an_empty_store_has_lost_everything(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 4))
    assert found(plan, store) == {"lost": 3, "duplicated": 0, "wrong": 0}


def test_waiting_ends_when_the_store_has_caught_up_or_time_is_over(plan: Plan, store: FakeStore) -> None:
    tell(plan, range(1, 4))
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        if clock[0] == 3.0:
            for number in range(1, 4):
                keep(store, number)

    api = CloudApi(store.address)
    assert not wait_until_caught_up(plan, api, 2.0, lambda: clock[0], sleep)
    assert wait_until_caught_up(plan, api, 9.0, lambda: clock[0], sleep)
    assert clock[0] == 3.0


def test_the_command_tells_the_counts_and_fails_on_loss(
    plan: Plan, store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(plan, range(1, 4))
    keep(store, 1)
    keep(store, 3)
    command = ["verify", "--plan", str(plan.folder), "--api", store.address, "--token", "t", "--wait-s", "0"]
    assert main([*command, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["lost"], told["caught_up"]) == (1, False)
    assert "number 2" in told["examples"][0]
    keep(store, 2)
    assert main(command) == 0


@given(raw=st.integers(min_value=-32768, max_value=32767))
def test_the_rule_of_rounding_is_the_written_one(raw: int) -> None:
    """value = raw * scale, rounded to whole steps; a resolution with a whole inverse divides."""
    flow = load_device_types()["boiler"].channels[0]
    assert stored_value(flow, float(raw)) == round(raw * 0.1 / 0.1) / 10.0
