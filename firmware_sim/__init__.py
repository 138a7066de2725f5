"""Devices, buildings, hazards, faults and people that behave like real ones; the load and the truth.

Imports none of the other programs: it writes bytes and files from the written formats, as real firmware
would, so that it can find mistakes in ours.

    scenario (+ seed) -> plan -> devices (Modbus TCP, MQTT) -> ledger -> verification
                            -> timeline of hazards and faults -> truth -> people
"""
