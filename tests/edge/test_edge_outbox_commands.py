"""lastmile-edge outbox: what people see of it, carry away and put back."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_rig import edge
from test_edge_outbox import alert, bulk, receipt

from edge_agent.outbox.outbox import Outbox
from edge_agent.state import StateFolder
from models.identity import Stream
from models.wire.envelope import Kind, open_envelope


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.make()
    folder.settings.write_text('[gateway]\nid = "gw-1"\n')
    return folder


def open_outbox(state: StateFolder) -> Outbox:
    return Outbox(state.outbox, "gw-1", max_mb=8, new_epoch=lambda: random.getrandbits(60), now=lambda: 1)


@pytest.fixture
def outbox(state: StateFolder) -> Iterator[Outbox]:
    """Three messages of telemetry of which the first is received, and an alert."""
    made = open_outbox(state)
    made.put_bulk(bulk(3))
    made.raise_alert(alert())
    made.receive(receipt(made, Stream.BULK, 1))
    yield made
    made.close()


def run(state: StateFolder, *words: str, code: int = 0) -> dict:
    ended = subprocess.run(
        edge("outbox", *words, "--state", str(state.root), "--json"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


def test_list_tells_what_waits_and_what_was_received_beside_a_running_agent(state, outbox):
    waiting = run(state, "ls")["messages"]
    assert [(m["stream"], m["number"], m["kind"], m["readings"], m["state"]) for m in waiting] == [
        ("urgent", 1, "alert", 0, "waiting"),
        ("bulk", 2, "telemetry", 500, "waiting"),
        ("bulk", 3, "telemetry", 500, "waiting"),
    ]
    received = run(state, "ls", "--received")["messages"]
    assert [(m["number"], m["state"], m["received_s"] >= 0) for m in received] == [(1, "received", True)]
    assert run(state, "ls", "--all", "--stream", "bulk", "--limit", "2")["more"] is True


def test_plain_outbox_gives_the_figures_as_before(state, outbox):
    figures = run(state)
    assert (figures["bulk_messages"], figures["urgent_messages"], figures["received_messages"]) == (2, 1, 1)


def test_export_put_back_sends_the_same_messages_again_and_no_other(state, outbox, tmp_path):
    sent = outbox.messages(Stream.BULK, 0, 10)
    file = tmp_path / "carried.jsonl"
    assert run(state, "export", str(file), "--all")["messages"] == 4
    outbox.receive(receipt(outbox, Stream.BULK, 2))
    outbox.close()
    assert run(state, "replay", str(file)) == {"again": 2, "carried": 0, "waiting": 2}
    again = open_outbox(state)
    assert again.messages(Stream.BULK, 1, 10) == sent
    again.close()


def test_export_of_a_lost_outbox_goes_out_inside_messages_of_the_new_one(state, outbox, tmp_path):
    raws = [raw for _, raw in outbox.messages(Stream.BULK, 0, 10)]
    file = tmp_path / "carried.jsonl"
    run(state, "export", str(file), "--stream", "bulk")
    outbox.close()
    for name in ("outbox.db", "outbox.db.witness"):
        (state.root / name).unlink()
    assert run(state, "replay", str(file))["carried"] == 2
    fresh = open_outbox(state)
    opened = [open_envelope(raw) for _, raw in fresh.messages(Stream.BULK, 0, 10)]
    assert [(one.kind, one.body) for one in opened] == [(Kind.CARRIED, raw) for raw in raws]
    fresh.close()


def test_damaged_file_that_was_set_aside_can_be_exported_and_replayed(state, outbox, tmp_path):
    outbox.close()
    aside = state.root / "outbox.db.damaged-1"
    raw = bytearray(state.outbox.read_bytes())
    raw[:200] = bytes(200)  # no SQLite would open it
    aside.write_bytes(raw)
    file = tmp_path / "saved.jsonl"
    assert run(state, "export", str(file), "--damaged", str(aside))["messages"] == 4
    assert run(state, "replay", str(file)) == {"again": 1, "carried": 0, "waiting": 3}


def test_replay_is_refused_while_the_agent_runs_and_says_so(state, outbox, tmp_path):
    file = tmp_path / "carried.jsonl"
    run(state, "export", str(file))
    with state.lock():
        told = run(state, "replay", str(file), code=1)
    assert "stop it first" in told["error"]["message"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}\n", "does not begin an export"),
        ('{"lastmile_outbox": 1, "gateway": "gw-2"}\n', "'gw-2'"),
        ('{"lastmile_outbox": 1, "gateway": "gw-1"}\n{"raw": "TE0="}\n', "line 2"),
        ('{"lastmile_outbox": 1, "gateway": "gw-1"}\nnonsense', "line 2"),
    ],
)
def test_file_that_is_no_export_is_refused_with_its_line(state, outbox, tmp_path, content, words):
    outbox.close()
    file = tmp_path / "wrong.jsonl"
    file.write_text(content)
    told = run(state, "replay", str(file), code=1)
    assert words in told["error"]["message"]
    again = open_outbox(state)
    assert again.backlog() == 3
    again.close()


def test_export_without_a_file_is_wrong_use(state, outbox):
    assert "FILE" in run(state, "export", code=78)["error"]["message"]
