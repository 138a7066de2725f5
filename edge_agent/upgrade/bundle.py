"""A release bundle: a tar of manifest.json, its signature, and wheels."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.manifest import Manifest, Member, read_manifest

MANIFEST, SIGNATURE, WHEELS = "manifest.json", "manifest.sig", "wheels/"
_LARGEST_MANIFEST = 1 << 20
_CHUNK = 1 << 20


class Bundle:
    """An open bundle. Nothing in it is to be believed before its signature was checked."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.manifest_bytes = self._small(MANIFEST)
        self.signature = self._small(SIGNATURE)

    def manifest(self) -> Manifest:
        return read_manifest(self.manifest_bytes)

    def unpack(self, manifest: Manifest, folder: Path) -> list[Path]:
        """Write the wheels into `folder`; UpgradeError `digest` for one that differs from the manifest."""
        folder.mkdir(parents=True, exist_ok=True)
        return [self._unpack(name, member, folder / name) for name, member in manifest.files.items()]

    def _unpack(self, name: str, member: Member, path: Path) -> Path:
        digest, left = hashlib.sha256(), member.size
        with self._open(WHEELS + name) as source, path.open("wb") as target:
            while left > 0 and (chunk := source.read(min(_CHUNK, left))):
                digest.update(chunk)
                target.write(chunk)
                left -= len(chunk)
            if left or source.read(1) or digest.hexdigest() != member.sha256:
                raise UpgradeError("digest", f"{name} is not what was signed; fetch the bundle again")
        return path

    def _small(self, name: str) -> bytes:
        with self._open(name) as file:
            raw = file.read(_LARGEST_MANIFEST + 1)
        if len(raw) > _LARGEST_MANIFEST:
            raise UpgradeError("bundle", f"{name} is too large")
        return raw

    def _open(self, name: str) -> IO[bytes]:
        try:
            file = self._tar.extractfile(name)
        except (KeyError, tarfile.TarError) as missing:
            raise UpgradeError("bundle", f"there is no {name} in it; is it complete?") from missing
        if file is None:
            raise UpgradeError("bundle", f"{name} is not a file")
        return file


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """UpgradeError `bundle` when it cannot be read or is cut off."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Bundle(tar)
    except (tarfile.TarError, EOFError) as wrong:
        raise UpgradeError("bundle", f"{path.name} is no release bundle, or cut off: {wrong}") from wrong
    except FileNotFoundError as missing:
        raise UpgradeError("bundle", f"{missing.filename}: no such file") from missing


def write_bundle(path: Path, manifest: Manifest, signature: bytes, wheels: Mapping[str, Path]) -> None:
    """The reverse: what `open_bundle` reads."""
    import io

    with tarfile.open(path, "w:") as tar:
        for name, raw in ((MANIFEST, manifest.text()), (SIGNATURE, signature)):
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            tar.addfile(entry, io.BytesIO(raw))
        for name, wheel in sorted(wheels.items()):
            tar.add(wheel, WHEELS + name, recursive=False)


def member_of(path: Path) -> Member:
    """A file as the manifest lists it."""
    return Member(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
