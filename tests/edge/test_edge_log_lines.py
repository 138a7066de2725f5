"""Lines for the journal and for people, and what goes on is said once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.log_lines import JournalFormatter, is_journal
from edge_agent.trouble import Trouble

SAY = """\
import logging, os, sys
from edge_agent.log_lines import set_up
about = os.fstat(2)
set_up(sys.stderr, {"JOURNAL_STREAM": sys.argv[1] or f"{about.st_dev}:{about.st_ino}"}, verbose=False)
log = logging.getLogger("edge_agent.x")
log.info("well"); log.warning("worse"); log.debug("never")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("bad")
"""


def said(stream: str, folder: Path) -> list[str]:
    with (folder / "err").open("w") as file:
        subprocess.run([sys.executable, "-c", SAY, stream], stderr=file, check=True)
    return (folder / "err").read_text().splitlines()


def test_journal_is_given_ranks_and_no_times(tmp_path):
    lines = said("", tmp_path)
    assert lines[:3] == ["<6>edge_agent.x: well", "<4>edge_agent.x: worse", "<3>edge_agent.x: bad"]
    assert len(lines) > 5
    assert all(line.startswith("<3>") for line in lines[2:])  # a traceback stays one matter


def test_people_are_given_times(tmp_path):
    lines = said("1:2", tmp_path)
    assert lines[0].endswith("INFO edge_agent.x: well")
    assert lines[0][:2] == "20"


@pytest.mark.parametrize(("level", "rank"), [(50, 2), (40, 3), (30, 4), (20, 6), (10, 7), (5, 7)])
def test_rank_of_each_level_is_syslogs(level, rank):
    record = logging.LogRecord("x", level, "", 0, "words", None, None)
    assert JournalFormatter().format(record) == f"<{rank}>x: words"


def test_stream_without_a_file_is_no_journal():
    class Nowhere:
        def fileno(self) -> int:
            raise OSError

    assert not is_journal(Nowhere(), {"JOURNAL_STREAM": "1:2"})
    with Path(os.devnull).open("w") as file:
        assert not is_journal(file, {})


def test_trouble_is_said_when_it_begins_changes_and_ends(caplog):
    caplog.set_level(logging.INFO)
    disk = Trouble("outbox or spool")
    for words in ("full", "full", "full", "worn", ""):
        with disk.told():
            if words:
                raise OSError(words)
    assert [record.getMessage() for record in caplog.records] == [
        "outbox or spool: full", "outbox or spool: worn", "outbox or spool: works again",
    ]  # fmt: skip
