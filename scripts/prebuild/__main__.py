"""Build kernels ahead: python scripts/prebuild [--target native|x86_64_v2|x86_64_v3] [--out FOLDER]

Runs every detector and codec once under numba, takes the machine code of each kernel that Python calls, and
links them into one extension module in models/machine_code, where `models.compile` looks. Needs numba and a
C compiler (cc, or what CC names); what it makes needs neither. docs/decisions/prebuilt-kernels.md tells more.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ["LASTMILE_KERNELS"] = "jit"


def main() -> int:
    from library import TARGETS, BuildError, build

    parser = argparse.ArgumentParser(prog="scripts/prebuild", description="Build the kernels ahead.")
    parser.add_argument("--target", choices=sorted(TARGETS), default="native")
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "machine_code", metavar="FOLDER")
    chosen = parser.parse_args()
    try:
        print(build(chosen.target, chosen.out))
    except BuildError as error:
        print(f"scripts/prebuild: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
