"""Writes the state folder of a release, once: `python tests/edge/make_state_golden.py 1`.

A real agent runs some seconds without a cloud. Folders of a release are never written again: tests let the
code of now take over what the code of then has left.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from edge_rig import edge, wait_until
from test_edge_obedience import KEY, public_of

from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from models.wire.signing import sign_document

GOLDEN = Path(__file__).with_name("golden_state")
ROWS = [float(n) for n in range(60)] + [150.0] * 20 + [20.0] * 40
SETTINGS = """\
[gateway]
id = "gw-1"
[limits]
message_readings = 20
message_seconds = 1
outbox_mb = 8
[[devices]]
name = "tape"
driver = "recording"
period_s = 0.05
settings = { file = "tape.csv" }
[[devices.channels]]
name = "tape/a"
kind = "temperature"
unit = "Cel"
source = "a"
resolution = 1
[[monitors]]
name = "hot"
detector = "limit"
parameters = { high = 100 }
channels = ["tape/a"]
hazard = "fire"
severity = "severe"
trigger = { on = 3.0, on_delay_s = 0.1 }
[[monitors]]
name = "odd"
detector = "robust"
channels = ["tape/a"]
hazard = "fire"
severity = "minor"
"""
LEFT_OUT = ("lock", "outbox.db-shm", "outbox.db.reserve", "tape.csv")


def main(name: str) -> int:
    target = GOLDEN / name
    if target.exists():
        print(f"{target} is there; the state of a release is written once", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        prepare(state)
        run(state)
        shutil.copytree(state, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return 0


def prepare(state: Path) -> None:
    """A gateway that obeys a signed document already."""
    (state / "tape.csv").write_text("a\n" + "\n".join(map(str, ROWS)) + "\n")
    (state / "gateway.toml").write_text(SETTINGS)
    (state / "identity").mkdir()
    (state / "identity" / "signing.pub").write_bytes(base64.b64encode(public_of(KEY)))
    document = load_settings(StateFolder(state).settings).document().model_copy(update={"version": 7})
    (state / "desired.json").write_text(sign_document(document, KEY).model_dump_json())


def run(state: Path) -> None:
    """Until all rows were judged, and some snapshots saved by an orderly end."""
    agent = subprocess.Popen(edge("run", "--state", str(state)), cwd=state)
    try:
        assert wait_until(lambda: judged(state) >= len(ROWS), 300)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(60) == 0
    finally:
        agent.kill()


def judged(state: Path) -> int:
    try:
        return int(json.loads((state / "status.json").read_text())["judge"]["judged_readings"])
    except (FileNotFoundError, ValueError):
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
