"""Play simulated worlds, one or many: `python tests/simulation/run.py --seed 17 --trace`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

from planted_bugs import BUGS, PlantedBug  # noqa: E402
from simulated_story import Stage, stage  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "simulation.json"
SEEDS = 500  # of every `make test`


def play(scene: Stage, first: int, count: int, *, with_trace: bool) -> list[int]:
    """Seeds for which an invariant does not hold; each is told as it is found."""
    failed = []
    for seed in range(first, first + count):
        outcome = scene.play(seed, keep_trace=with_trace)
        if with_trace:
            print("\n".join(outcome.trace))
        if not outcome.holds:
            failed.append(seed)
            told, struck = "; ".join(outcome.violations), " ".join(outcome.strikes)
            print(f"seed {seed}: {told}  [{struck}]", flush=True)
    return failed


def hunt(scene: Stage, bug: PlantedBug, wanted: int) -> list[dict[str, object]]:
    """The first seeds that find a planted bug, and what each says."""
    found: list[dict[str, object]] = []
    with bug.planted():
        for seed in range(1, SEEDS + 1):
            outcome = scene.play(seed)
            if not outcome.holds:
                found.append({"seed": seed, "says": outcome.violations[0]})
                if len(found) == wanted:
                    break
    return found


def record_bugs(scene: Stage) -> list[str]:
    """Write which seeds find which planted bug; names of those that none finds."""
    lines = []
    for bug in BUGS:
        found = hunt(scene, bug, 3)
        print(bug.name, [line["seed"] for line in found], flush=True)
        lines.append({"bug": bug.name, "mistake": bug.mistake, "found_by": found})
    RESULTS.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n")
    return [str(line["bug"]) for line in lines if not line["found_by"]]


def main() -> int:
    """1 when an invariant does not hold, or a planted bug is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument(
        "--planted", action="store_true", help="find each planted bug, and write which seeds do"
    )
    wishes = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.perf_counter()
    with stage() as scene:
        if wishes.planted:
            unfound = record_bugs(scene)
            print(f"{len(BUGS)} planted bugs, not found: {unfound}")
            return bool(unfound)
        failed = play(scene, wishes.seed, wishes.count, with_trace=wishes.trace)
    print(f"{wishes.count} seeds in {time.perf_counter() - began:.1f} s, {len(failed)} failed: {failed[:50]}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
