"""Where the other programs are on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from firmware_sim.errors import MissingProgram

DAEMONS = "/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/sbin:/opt/homebrew/opt/mosquitto/sbin"


def find_mosquitto(folder: Path) -> str:
    """The broker: by LASTMILE_MOSQUITTO, in `folder`/.cache/bin, on PATH, among the system's daemons.

    MissingProgram names the command that gets it.
    """
    named = os.environ.get("LASTMILE_MOSQUITTO")
    if named:
        if os.access(named, os.X_OK):
            return named
        raise MissingProgram(f"mosquitto (LASTMILE_MOSQUITTO={named})", "unset LASTMILE_MOSQUITTO")
    path = os.pathsep.join([str(folder / ".cache" / "bin"), os.environ.get("PATH", ""), DAEMONS])
    found = shutil.which("mosquitto", path=path)
    if found is None:
        raise MissingProgram("mosquitto", "make setup   (or: sudo apt-get install mosquitto)")
    return found


def find_own(name: str) -> list[str]:
    """One of the project's commands, beside the running interpreter or on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingProgram(name, "make setup   (or: pip install 'lastmile[edge,cloud,sim]')")
    return [found]


def environment(folder: Path, state: Path) -> dict[str, str]:
    """For the programs we start. Where Python was told to keep no compiled modules, theirs go into a folder
    of ours: a dozen programs that each compile everything anew would take a minute to come up."""
    given = dict(os.environ)
    if given.pop("PYTHONDONTWRITEBYTECODE", ""):
        cache = folder / ".cache"
        given["PYTHONPYCACHEPREFIX"] = str((cache if cache.is_dir() else state) / "pycache")
    return given
