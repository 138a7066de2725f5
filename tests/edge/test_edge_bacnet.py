"""BACnet/IP against a bacpypes3 device: values, flags, and devices that know less."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bacnet_rig import BacnetDevice
from driver_cases import device
from edge_rig import free_port

from edge_agent.drivers.seam import Driver, DriverError
from edge_agent.drivers.table import make_driver
from models.clock import SystemClock
from models.errors import ConfigurationError

pytestmark = pytest.mark.integration
ALL = ["analog-input,1", "analog-input,2", "binary-input,1", "multi-state-value,1"]


@pytest.fixture
def plant() -> Iterator[Callable[..., BacnetDevice]]:
    made: list[BacnetDevice] = []

    def start(**more: Any) -> BacnetDevice:
        made.append(BacnetDevice(**more))
        return made[-1]

    yield start
    for each in made:
        each.stop()


def reading(port: int, *objects: str) -> Driver:
    settings = {"host": "127.0.0.1", "port": port, "local": "127.0.0.1:0", "timeout_s": 1.0}
    driver = make_driver(device("bacnet", settings, list(objects)), SystemClock())
    driver.open(None)
    return driver


def test_values_of_each_kind_in_one_request(plant):
    served = plant()
    driver = reading(served.port, *ALL)
    assert driver.read(1.0).value.tolist() == [21.5, 40.0, 1.0, 3.0]
    driver.close()
    assert (served.multiple, served.single) == (1, 0)


def test_many_objects_are_asked_in_pieces(plant):
    served = plant()
    driver = reading(served.port, *(ALL * 6))
    assert driver.read(1.0).value.tolist() == [21.5, 40.0, 1.0, 3.0] * 6
    driver.close()
    assert served.multiple == 3


def test_a_device_that_knows_single_reads_alone(plant):
    served = plant(knows_multiple=False)
    driver = reading(served.port, *ALL[:2])
    assert driver.read(1.0).value.tolist() == [21.5, 40.0]
    assert driver.read(1.0).value.tolist() == [21.5, 40.0]
    driver.close()
    assert (served.multiple, served.single) == (1, 8)


@pytest.mark.parametrize(
    ("name", "value"), [("reliability", "no-sensor"), ("outOfService", True)], ids=["fault", "out of service"]
)
@pytest.mark.parametrize("knows_multiple", [True, False])
def test_a_value_that_is_not_measured_is_not_believed(plant, name, value, knows_multiple, caplog):
    served = plant(knows_multiple=knows_multiple)
    driver = reading(served.port, *ALL[:2])
    served.change(lambda objects: setattr(objects["supply"], name, value))
    for _ in range(2):
        first, second = driver.read(1.0).value.tolist()
        assert math.isnan(first)
        assert second == 40.0
    driver.close()
    assert caplog.text.count("analog-input,1 is") == 1, "said once, on change"


def test_a_value_in_alarm_is_still_measured(plant):
    served = plant()
    driver = reading(served.port, *ALL[:1])
    served.change(lambda objects: setattr(objects["supply"], "eventState", "high-limit"))
    assert driver.read(1.0).value.tolist() == [21.5]
    driver.close()


def test_an_object_that_is_not_there_leaves_the_others(plant):
    driver = reading(plant().port, "analog-input,9", "analog-input,1")
    first, second = driver.read(1.0).value.tolist()
    driver.close()
    assert math.isnan(first)
    assert second == 21.5


def test_none_of_the_objects_is_an_error_in_words(plant):
    driver = reading(plant().port, "analog-input,9")
    with pytest.raises(DriverError, match="has none of the objects: analog-input,9 is unknown-object"):
        driver.read(1.0)
    driver.close()


def test_nobody_there_says_what_to_check():
    driver = reading(free_port(), *ALL)
    with pytest.raises(DriverError, match="firewall"):
        driver.read(1.0)
    driver.close()


def test_a_device_that_went_and_came_back(plant):
    served = plant()
    driver = reading(served.port, *ALL[:1])
    driver.read(1.0)
    served.stop()
    with pytest.raises(DriverError):
        driver.read(1.0)
    driver.close()
    other = plant()
    again = reading(other.port, *ALL[:1])
    assert again.read(1.0).value.tolist() == [21.5]
    again.close()


@pytest.mark.parametrize("source", ["analog-input", "1", "Analog Input,1", {"object": 1}])
def test_sources_that_are_no_objects_are_refused(source):
    with pytest.raises(ConfigurationError) as raised:
        make_driver(device("bacnet", {"host": "h"}, [source]), SystemClock())
    assert raised.value.key == "channels[0].source"
