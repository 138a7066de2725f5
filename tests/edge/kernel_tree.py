"""A folder laid out as /sys is, with sensors as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

GOOD = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"
DAMAGED = "ff ff ff ff ff ff ff ff ff : crc=c9 NO\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"
GROUNDED = "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n"
POWER_ON = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"


class KernelTree:
    """`root` stands for /sys. Devices are links into `devices`, as there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def thermometer(self, name: str, text: str = GOOD) -> Path:
        file = self.root / "bus/w1/devices" / name / "w1_slave"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def iio(self, number: int, name: str, at: str, **files: str) -> Path:
        return self._device(f"bus/iio/devices/iio:device{number}", f"devices/{at}", name, files)

    def hwmon(self, number: int, name: str, at: str, **files: str) -> Path:
        return self._device(f"class/hwmon/hwmon{number}", f"devices/{at}", name, files)

    def _device(self, link: str, place: str, name: str, files: dict[str, str]) -> Path:
        real = self.root / place
        real.mkdir(parents=True, exist_ok=True)
        for file, text in {"name": name, **files}.items():
            (real / file).write_text(text + "\n")
        shown = self.root / link
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.symlink_to(real)
        return real
