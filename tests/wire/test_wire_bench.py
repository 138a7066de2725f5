"""The bench's harness: rows are whole, what is missing is said, what was measured before stays."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).parents[1] / "bench" / "run_bench.py"
_spec = importlib.util.spec_from_file_location("run_bench", FILE)
run_bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run_bench)


def a_row(name: str, value: float) -> dict:
    return {"name": name, "value": value, "unit": "ns/reading", "goal": "<= 100", "ok": value <= 100}


def bench(*rows: dict):
    return lambda _name: SimpleNamespace(rows=lambda: list(rows))


def missing(_name: str):
    raise FileNotFoundError("no recordings: set LASTMILE_DATA to their folder")


def broken(_name: str):
    raise ZeroDivisionError


def test_benches_are_found_by_their_file_names_and_can_be_chosen(tmp_path):
    for name in ("bench_wire.py", "bench_store.py", "telemetry.py"):
        (tmp_path / name).touch()
    assert run_bench.find_benches(tmp_path) == ["store", "wire"]
    assert run_bench.find_benches(tmp_path, only="wir") == ["wire"]


def test_row_without_a_peer_has_all_keys():
    rows, words = run_bench.run_one("wire", bench(a_row("encode", 50.0)))
    assert list(rows[0]) == list(run_bench.KEYS)
    assert (rows[0]["peer"], words) == (None, "")


def test_bench_without_its_data_is_left_out_and_says_why():
    assert run_bench.run_one("wire", missing) == (
        [],
        "left out: no recordings: set LASTMILE_DATA to their folder",
    )


def test_bench_that_breaks_or_gives_a_row_of_its_own_making_failed(capsys):
    assert run_bench.run_one("wire", broken) == ([], "FAILED: ZeroDivisionError()")
    assert "FAILED" in run_bench.run_one("wire", bench({"name": "a", "speed": 1}))[1]


def test_rows_measured_again_take_the_place_of_the_old_ones():
    before = [a_row("a", 1.0), a_row("b", 2.0)]
    assert run_bench.merge(before, [a_row("b", 3.0), a_row("c", 4.0)], replaced=False) == [
        a_row("a", 1.0),
        a_row("b", 3.0),
        a_row("c", 4.0),
    ]
    assert run_bench.merge(before, [a_row("b", 3.0)], replaced=True) == [a_row("b", 3.0)]


def test_table_shows_what_was_missed():
    rows = [run_bench.complete(a_row("encode", 50.0)), run_bench.complete(a_row("decode", 150.0))]
    table = run_bench.table_of(rows).splitlines()
    assert table[1].endswith("yes")
    assert table[2].endswith("NO")


def test_run_writes_the_rows_and_fails_only_when_a_bench_broke(tmp_path, monkeypatch, capsys):
    out = tmp_path / "results" / "bench.json"
    monkeypatch.setattr(run_bench, "find_benches", lambda _folder, _only: ["wire"])
    monkeypatch.setattr(
        run_bench, "run_one", lambda _name: ([run_bench.complete(a_row("encode", 150.0))], "")
    )
    assert run_bench.main(["--out", str(out)]) == 0
    assert [row["name"] for row in json.loads(out.read_text())] == ["encode"]
    monkeypatch.setattr(run_bench, "run_one", lambda _name: ([], "FAILED: x"))
    assert run_bench.main(["--only", "wire", "--out", str(out)]) == 1
    assert [row["name"] for row in json.loads(out.read_text())] == ["encode"]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (True, "yes"), (0.8014, "0.8014"), (12345.6, "12,346")]
)
def test_cell_is_short(value, shown):
    assert run_bench._cell(value) == shown
