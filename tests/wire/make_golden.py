"""Writes the golden files of a release of the wire, once: `python tests/wire/make_golden.py golden/2`.

Files of a release are never written again: tests compare what the code does now with what it did then.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wire_samples import BLOCKS, TENTHS, envelopes, messages

from models.wire.columns import encode_columns


def main(folder: Path) -> int:
    if any(folder.glob("*")):
        print(f"{folder} has files already; a release of the wire is written once", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in BLOCKS.items():
        (folder / f"columns-{name}.bin").write_bytes(encode_columns(make(), TENTHS))
    for name, raw in envelopes().items():
        (folder / f"envelope-{name}.bin").write_bytes(raw)
    for name, message in messages().items():
        (folder / f"{name}.json").write_text(message.model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent / sys.argv[1]))
