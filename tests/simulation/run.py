"""Play simulated worlds, one or many: `python tests/simulation/run.py --seed 17 --trace`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

from simulated_story import stage  # noqa: E402


def main() -> int:
    """1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    wishes = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = []
    began = time.perf_counter()
    with stage() as scene:
        for seed in range(wishes.seed, wishes.seed + wishes.count):
            outcome = scene.play(seed, keep_trace=wishes.trace)
            if wishes.trace:
                print("\n".join(outcome.trace))
            if not outcome.holds:
                failed.append(seed)
                print(
                    f"seed {seed}: {'; '.join(outcome.violations)}  [{' '.join(outcome.strikes)}]", flush=True
                )
    print(f"{wishes.count} seeds in {time.perf_counter() - began:.1f} s, {len(failed)} failed: {failed[:50]}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
