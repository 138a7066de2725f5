"""A gateway has no river: a configuration that names it is refused at its line, with the reason."""

from __future__ import annotations

import json
import sys

from edge_agent.cli import main

NAMES_RIVER = """\
[gateway]
id = "gw-1"

[uplink]
host = "broker.example"
port = 8883

[[devices]]
name = "self"
driver = "health"
[[devices.channels]]
name = "gateway/load"
kind = "load"
source = "load_1m"

[[monitors]]
name = "odd"
detector = "river"
parameters = { model = "LODA" }
channels = ["gateway/load"]
hazard = "device"
"""


def test_check_refuses_river_where_it_is_missing_and_says_why(tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "river"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "river", None)
    (tmp_path / "gateway.toml").write_text(NAMES_RIVER)
    assert main(["check", "--state", str(tmp_path), "--json"]) == 78
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["key"] == "monitors.odd" and 15 <= error["line"] <= 20
    assert "a gateway has no room for river" in error["message"]
