"""Real release bundles, small enough to build in a test: our own code, some of it changed.

Libraries come from this environment by a .pth file in a wheel, machine code of kernels from its cache.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from programs import find_program

from edge_agent.upgrade.bundle import member_of, write_bundle
from edge_agent.upgrade.manifest import Manifest

ROOT = Path(__file__).parents[2]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def write_key(path: Path, key: Ed25519PrivateKey = KEY) -> Path:
    """The public half as PEM, as an installer is given it."""
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def make_bundle(
    folder: Path,
    version: str,
    changes: Mapping[str, tuple[str, str]] | None = None,
    *,
    key: Ed25519PrivateKey = KEY,
    machine: str = "",
    installed_mb: int = 1,
) -> Path:
    """A signed bundle of this code as `version`. `changes`: file -> (what stands there, what is put)."""
    folder.mkdir(parents=True, exist_ok=True)
    edits = {**(changes or {}), "models/__init__.py": ('__version__ = "0.1.0"', f'__version__ = "{version}"')}
    wheels = {
        path.name: path for path in (_own_wheel(folder, version, edits), _way_to_libraries(folder), _pip())
    }
    files = {name: member_of(path) for name, path in wheels.items()}
    manifest = Manifest(version, machine or platform.machine(), _PYTHON, installed_mb, files)
    bundle = folder / f"lastmile-{version}.bundle"
    write_bundle(bundle, manifest, key.sign(manifest.text()), wheels)
    return bundle


def _own_wheel(folder: Path, version: str, edits: Mapping[str, tuple[str, str]]) -> Path:
    """As setuptools would make it, with the machine code that is cached here."""
    contents: dict[str, bytes] = {}
    for package in ("edge_agent", "models"):
        for path in sorted((ROOT / package).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.is_file() and path.suffix != ".pyc":
                contents[name] = path.read_bytes()
    for name, (old, new) in edits.items():
        text = contents[name].decode()
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        contents[name] = text.replace(old, new).encode()
    info = f"lastmile-{version}.dist-info"
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: lastmile\nVersion: {version}\n".encode()
    contents[f"{info}/WHEEL"] = _WHEEL
    contents[f"{info}/entry_points.txt"] = (
        b"[console_scripts]\nlastmile-edge = edge_agent.cli:main\nlastmile-lab = models.lab.cli:main\n"
    )
    return _zip(folder / f"lastmile-{version}-py3-none-any.whl", info, contents)


def _way_to_libraries(folder: Path) -> Path:
    info = "lastmile_libraries-1.dist-info"
    contents = {
        "lastmile_libraries.pth": (sysconfig.get_paths()["purelib"] + "\n").encode(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: lastmile_libraries\nVersion: 1\n",
        f"{info}/WHEEL": _WHEEL,
    }
    return _zip(folder / "lastmile_libraries-1-py3-none-any.whl", info, contents)


_WHEEL = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _zip(path: Path, info: str, contents: Mapping[str, bytes]) -> Path:
    lines = []
    with zipfile.ZipFile(path, "w") as file:
        for name, raw in contents.items():
            file.writestr(name, raw)
            digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(raw)}")
        file.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path


def _pip() -> Path:
    """pip's wheel, as Python or Debian brings it."""
    import ensurepip

    folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    return next(path for folder in folders for path in sorted(folder.glob("pip-*.whl")))


def openssl() -> str:
    return find_program("openssl") or "openssl"


def environment() -> dict[str, str]:
    """Without what would lead a release back to this folder."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
