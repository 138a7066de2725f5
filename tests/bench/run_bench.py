"""Runs the benches beside their peers: prints a table, writes docs/results/bench.json.

A bench is a file `bench_NAME.py` here with `rows()`, which gives dictionaries of name, value, unit, peer,
peer_value, ratio, goal, ok; `value` and `peer_value` are medians, ok is None where there is no goal. A bench
whose data or programs are not here raises FileNotFoundError or ImportError (or leaves rows out and says so):
that is told and the others go on, as it is of a file without `rows()`, which is a command of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "docs" / "results" / "bench.json"
KEYS = ("name", "value", "unit", "peer", "peer_value", "ratio", "goal", "ok")


def find_benches(folder: Path, only: str = "") -> list[str]:
    """Names of the benches in a folder, without `bench_`; those with `only` in them when it is given."""
    names = sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))
    return [name for name in names if only in name]


def run_one(name: str, load: Callable[[str], Any] = importlib.import_module) -> tuple[list[Row], str]:
    """Rows of one bench, and in words why there are none; empty words when all went well."""
    try:
        bench = load(f"bench_{name}")
        if not hasattr(bench, "rows"):
            return [], "is a command of its own"
        return [complete(row) for row in bench.rows()], ""
    except (FileNotFoundError, ImportError) as missing:
        return [], f"left out: {missing}"
    except Exception as wrong:
        traceback.print_exc()
        return [], f"FAILED: {wrong!r}"


def complete(row: Row) -> Row:
    """The row with all keys, in their order; ValueError for a key that is none of them."""
    if unknown := set(row) - set(KEYS):
        raise ValueError(f"a row of a bench has no {sorted(unknown)}")
    return {key: row.get(key) for key in KEYS}


def table_of(rows: Iterable[Row]) -> str:
    """The rows as aligned text."""
    head = ["what", "value", "unit", "peer", "peer's", "ratio", "goal", "ok"]
    lines = [head, *([_cell(row[key]) for key in KEYS] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = {1, 4, 5}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def merge(before: list[Row], after: list[Row], replaced: bool) -> list[Row]:
    """All rows anew when every bench ran, else the old ones with those that were measured again replaced."""
    if replaced:
        return after
    fresh = {row["name"]: row for row in after}
    kept = [fresh.pop(row["name"], row) for row in before]
    return kept + list(fresh.values())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Compare with the peers, side by side.")
    parser.add_argument("--only", default="", metavar="NAME", help="only benches with NAME in their name")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the rows go")
    given = parser.parse_args(arguments)
    sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
    rows: list[Row] = []
    said: list[str] = []
    for name in find_benches(HERE, given.only):
        print(f"bench {name} ...", file=sys.stderr, flush=True)
        measured, words = run_one(name)
        rows += measured
        said += [f"{name} {words}"] if words else []
    print(table_of(rows))
    print(*said, sep="\n", file=sys.stderr)
    before = json.loads(given.out.read_text()) if given.out.exists() else []
    given.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(merge(before, rows, replaced=not given.only), indent=1, ensure_ascii=False)
    given.out.write_text(text + "\n", encoding="utf-8")
    return 1 if any("FAILED" in words for words in said) else 0


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, float | int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
