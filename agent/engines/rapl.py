"""The machine's own energy counters (RAPL through powercap), where the kernel lets us read them."""

from pathlib import Path

ROOT = Path("/sys/class/powercap")


class NodeMeter:
    """Counts microjoules of all processor packages since it was made; wraps are followed if read often enough."""

    def __init__(self, zones: list[Path]) -> None:
        self._zones = zones
        self._last = [_number(zone / "energy_uj") for zone in zones]
        self._ranges = [_number(zone / "max_energy_range_uj") for zone in zones]
        self._total = 0

    def read_uj(self) -> int:
        """Microjoules so far."""
        for index, zone in enumerate(self._zones):
            now = _number(zone / "energy_uj")
            step = now - self._last[index]
            self._total += step if step >= 0 else step + self._ranges[index] + 1
            self._last[index] = now
        return self._total


def readable_zones(root: Path = ROOT) -> list[Path]:
    """The packages whose counters this process may read; empty where there are none."""
    zones = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    return [zone for zone in zones if zone.name.count(":") == 1 and _readable(zone / "energy_uj")]


def _readable(file: Path) -> bool:
    try:
        _number(file)
    except (OSError, ValueError):
        return False
    return True


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
