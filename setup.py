"""A wheel with kernels that scripts/prebuild made for a level of processors is for one platform.

Everything else of the package is in pyproject.toml.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import Distribution, setup

LIBRARIES = "kernels_x86_64_v*", "kernels_aarch64*"


class OfOnePlatform(Distribution):
    """Without such kernels the wheel is for any platform, and numba compiles them on the machine."""

    def has_ext_modules(self) -> bool:
        folder = Path(__file__).parent / "models" / "machine_code"
        return any(list(folder.glob(pattern)) for pattern in LIBRARIES)


setup(distclass=OfOnePlatform)
