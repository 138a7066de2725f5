"""A release made ready beside the one that runs. As a program it is what the installer calls:

    python3 -m edge_agent.upgrade.stage BUNDLE PREFIX

after it has checked the signature itself; prints the version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from edge_agent.upgrade.bundle import Bundle, open_bundle
from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.manifest import Manifest
from edge_agent.upgrade.releases import COMPLETE, Releases, sync

_LIMIT_S = 1800.0


def stage(bundle: Bundle, releases: Releases) -> Manifest:
    """Unpack, check and install into a folder of its own; on any failure nothing of it stays.

    UpgradeError: `machine`, `python`, `disk`, `digest`, `install`.
    """
    manifest = bundle.manifest()
    manifest.check_machine()
    folder = releases.folder(manifest.version)
    if folder.name in releases.complete() and (folder / COMPLETE).read_bytes() == bundle.manifest_bytes:
        return manifest
    releases.prefix.mkdir(parents=True, exist_ok=True)
    wheels = sum(member.size for member in manifest.files.values())
    releases.check_space((manifest.installed_mb << 20) + wheels)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _install(bundle, manifest, folder)
    except BaseException as wrong:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(wrong, OSError):
            raise UpgradeError("install", f"{folder} could not be written: {wrong}") from wrong
        raise
    return manifest


def _install(bundle: Bundle, manifest: Manifest, folder: Path) -> None:
    _run([_python(), "-m", "venv", "--without-pip", str(folder)])
    wheels = bundle.unpack(manifest, folder / "wheels")
    pip = next((wheel for wheel in wheels if wheel.name.startswith("pip-")), None)
    if pip is None:
        raise UpgradeError("bundle", "there is no pip in it")
    others = [str(wheel) for wheel in wheels if wheel != pip]
    _run([str(folder / "bin" / "python"), str(pip / "pip"), "install", "--no-index", "--no-deps", "--quiet",
          "--no-cache-dir", "--disable-pip-version-check", *others])  # fmt: skip
    shutil.rmtree(folder / "wheels")
    os.sync()
    beside = folder / f".{COMPLETE}"
    beside.write_bytes(bundle.manifest_bytes)
    beside.replace(folder / COMPLETE)
    sync(folder)


def _python() -> str:
    """The machine's own interpreter, not that of a release that may be removed."""
    return os.path.realpath(sys.executable)


def _run(command: list[str]) -> None:
    told = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False,
            env={**told, "PIP_CONFIG_FILE": os.devnull},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise UpgradeError("install", f"not finished after {_LIMIT_S:.0f} s") from late
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise UpgradeError("install", words[-1] if words else f"exit {done.returncode}")


def main(arguments: list[str]) -> int:
    """Stage a bundle whose signature was checked; 1 with words on standard error when it cannot be."""
    path, prefix = arguments
    try:
        with open_bundle(Path(path)) as bundle:
            print(stage(bundle, Releases(Path(prefix))).version)
    except UpgradeError as wrong:
        print(f"{wrong.reason}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
