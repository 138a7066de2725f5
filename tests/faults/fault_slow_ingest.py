"""`lastmile-cloud ingest`, each commit of which takes SECONDS longer while the file `slow` lies in its state.

python fault_slow_ingest.py SECONDS STATE
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from cloud.cli import main


def slow_commits(seconds: float, switch: Path) -> None:
    """A disk or database that takes its time, for every engine of this process."""

    @event.listens_for(Engine, "commit")
    def _before_commit(_connection: Connection) -> None:
        if switch.exists():
            time.sleep(seconds)


if __name__ == "__main__":
    slow_commits(float(sys.argv[1]), Path(sys.argv[2]) / "slow")
    sys.exit(main(["ingest", "--state", sys.argv[2]]))
