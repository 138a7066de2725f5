"""Sensors that Linux shows as files: a tree as the kernel lays it out, with what goes wrong on real wires."""

from __future__ import annotations

import math
from typing import Any

import pytest
from driver_cases import device
from kernel_tree import DAMAGED, GOOD, GROUNDED, POWER_ON, KernelTree

from edge_agent.drivers.seam import Driver, DriverError
from edge_agent.drivers.table import make_driver
from models.clock import SystemClock
from models.errors import ConfigurationError


@pytest.fixture
def tree(tmp_path) -> KernelTree:
    return KernelTree(tmp_path / "sys")


def files(tree: KernelTree, *sources: dict[str, Any]) -> Driver:
    return make_driver(device("files", {"root": str(tree.root)}, list(sources)), SystemClock())


def values(driver: Driver) -> list[float]:
    batch = driver.read(1.0)
    assert batch is not None
    return batch.value.tolist()


def test_one_thermometer_unplugged_leaves_the_others(tree):
    tree.thermometer("28-0000071c2a3b")
    driver = files(tree, {"w1": "28-0000071c2a3b"}, {"w1": "28-00000000dead"})
    first, second = values(driver)
    assert first == 23.125
    assert math.isnan(second)


@pytest.mark.parametrize("text", [DAMAGED, GROUNDED], ids=["check failed", "line at ground"])
def test_bytes_that_came_damaged_are_no_temperature(tree, text):
    tree.thermometer("28-01", text)
    tree.thermometer("28-02")
    assert math.isnan(values(files(tree, {"w1": "28-01"}, {"w1": "28-02"}))[0])


def test_85_degrees_after_power_on_is_not_believed_but_on_the_way_up_it_is(tree):
    file = tree.thermometer("28-01", POWER_ON)
    driver = files(tree, {"w1": "28-01"})
    heard = [values(driver)[0]]
    for text in (GOOD, POWER_ON, GOOD.replace("23125", "84500"), POWER_ON, POWER_ON):
        file.write_text(text)
        heard += values(driver)
    assert [str(value) for value in heard] == ["nan", "23.125", "nan", "84.5", "85.0", "85.0"]


def test_no_thermometer_at_all_says_what_to_check(tree):
    with pytest.raises(DriverError, match="resistor"):
        files(tree, {"w1": "28-01"}).read(1.0)


def test_a_thermometer_whose_file_is_empty_is_an_error_in_words(tree):
    tree.thermometer("28-01", "")
    with pytest.raises(DriverError, match="w1_therm"):
        files(tree, {"w1": "28-01"}).read(1.0)


def test_iio_raw_scale_and_offset_and_processed(tree):
    tree.iio(
        0, "ads1115", "i2c-1/1-0048", in_voltage0_raw="12000", in_voltage_scale="0.125",
        in_temp_raw="1600", in_temp_offset="-40", in_temp_scale="12.5",
    )  # fmt: skip
    tree.iio(
        1, "bme280", "i2c-1/1-0076", in_temp_input="21480", in_humidityrelative_input="46190",
        in_pressure_input="101.325",
    )  # fmt: skip
    driver = files(
        tree,
        {"iio": "ads1115", "channel": "in_voltage0"},
        {"iio": "ads1115", "channel": "in_temp"},
        {"iio": "bme280", "channel": "in_temp"},
        {"iio": "bme280", "channel": "in_humidityrelative"},
        {"iio": "bme280", "channel": "in_pressure"},
    )
    assert values(driver) == pytest.approx([1.5, 19.5, 21.48, 46.19, 101.325])


def test_hwmon_units_and_a_sensor_that_the_chip_calls_faulty(tree):
    tree.hwmon(
        0, "nct6775", "platform/nct6775", temp1_input="41500", temp2_input="127000", temp2_fault="1",
        in0_input="1104", fan1_input="1180", power1_input="15250000",
    )  # fmt: skip
    driver = files(
        tree, *({"hwmon": "nct6775", "channel": name} for name in ("temp1", "temp2", "in0", "fan1", "power1"))
    )
    heard = values(driver)
    assert math.isnan(heard[1])
    assert [heard[0], *heard[2:]] == pytest.approx([41.5, 1.104, 1180.0, 15.25])


def test_devices_are_found_by_name_whatever_their_number(tree):
    tree.hwmon(5, "cpu_thermal", "virtual/thermal", temp1_input="50000")
    tree.hwmon(2, "rpi_volt", "platform/volt", in0_input="5000")
    driver = files(tree, {"hwmon": "cpu_thermal", "channel": "temp1"})
    assert values(driver) == [50.0]
    (tree.root / "class/hwmon/hwmon5").rename(tree.root / "class/hwmon/hwmon0")
    assert values(driver) == [50.0]


def test_two_devices_of_one_name_need_a_place(tree):
    tree.iio(0, "bme280", "i2c-1/1-0076", in_temp_input="21000")
    tree.iio(1, "bme280", "i2c-1/1-0077", in_temp_input="8000")
    with pytest.raises(DriverError, match="1-0077"):
        files(tree, {"iio": "bme280", "channel": "in_temp"}).read(1.0)
    assert values(files(tree, {"iio": "bme280", "channel": "in_temp", "at": "1-0077"})) == [8.0]


def test_a_name_that_is_not_there_says_which_are(tree):
    tree.hwmon(0, "coretemp", "platform/coretemp", temp1_input="50000")
    with pytest.raises(DriverError, match="there are: coretemp"):
        files(tree, {"hwmon": "k10temp", "channel": "temp1"}).read(1.0)


def test_any_file_with_a_number(tree):
    file = tree.root / "class/thermal/thermal_zone0/temp"
    file.parent.mkdir(parents=True)
    file.write_text("48312\n")
    assert values(files(tree, {"file": "class/thermal/thermal_zone0/temp"})) == [48312.0]


@pytest.mark.parametrize(
    "source",
    [{}, {"w1": "28-01", "iio": "x"}, {"iio": "bme280"}, {"w1": "28-01", "channel": "temp1"}, "28-01"],
)
def test_sources_that_name_nothing_or_two_things_are_refused(tree, source):
    with pytest.raises(ConfigurationError) as raised:
        make_driver(device("files", {}, [source]), SystemClock())
    assert raised.value.key.startswith("channels[0].source")
