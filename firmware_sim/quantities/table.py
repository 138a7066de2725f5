"""All quantities by the name device types use."""

from __future__ import annotations

from firmware_sim.quantities import machines, rooms, supply
from firmware_sim.quantities.setting import Quantity

QUANTITIES: dict[str, Quantity] = {
    "outdoor_temperature": rooms.outdoor_temperature,
    "room_temperature": rooms.room_temperature,
    "kitchen_temperature": rooms.kitchen_temperature,
    "cellar_temperature": rooms.cellar_temperature,
    "room_humidity": rooms.room_humidity,
    "cellar_humidity": rooms.cellar_humidity,
    "carbon_dioxide": rooms.carbon_dioxide,
    "smoke": rooms.smoke,
    "carbon_monoxide": rooms.carbon_monoxide,
    "gas": rooms.gas,
    "motion": rooms.motion,
    "door_closed": rooms.door_closed,
    "light": rooms.light,
    "burner": machines.burner,
    "boiler_flow": machines.boiler_flow,
    "boiler_return": machines.boiler_return,
    "boiler_pressure": machines.boiler_pressure,
    "sump_level": machines.sump_level,
    "sump_pump": machines.sump_pump,
    "lift_vibration": machines.lift_vibration,
    "lift_current": machines.lift_current,
    "lift_motor_temperature": machines.lift_motor_temperature,
    "lift_floor": machines.lift_floor,
    "freezer_air": machines.freezer_air,
    "freezer_product": machines.freezer_product,
    "compressor_power": machines.compressor_power,
    "voltage": machines.voltage,
    "board_current": machines.board_current,
    "board_power": machines.board_power,
    "cable_temperature": machines.cable_temperature,
    "mains_flow": supply.mains_flow,
    "mains_pressure": supply.mains_pressure,
    "tap_flow": supply.tap_flow,
    "battery": supply.battery,
    "link_quality": supply.link_quality,
    "steady": supply.steady,
}
