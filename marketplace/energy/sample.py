"""The sample grid: a deterministic, invented electricity mix for a few zones, the same in any process.

Only integers are used, so two machines agree to the last digit. Output per source is in thousandths of the zone's mean
demand. Life-cycle intensities are the medians of IPCC AR5 WGIII Annex III in mg/kWh. Everything made here bears the
source `sample`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.common.clock import HOUR
from marketplace.common.units import PPM

SOURCE = "sample"
# Sun at the middle of each local hour, thousandths of its daily peak.
SUN = (0, 0, 0, 0, 0, 0, 80, 280, 500, 690, 840, 950, 1000, 950, 840, 690, 500, 280, 80, 0, 0, 0, 0, 0)
SEASON_NORTH = (520, 620, 780, 920, 1020, 1060, 1040, 960, 840, 680, 550, 480)  # sun by month, thousandths
DEMAND = (
    880, 850, 830, 820, 830, 870, 940, 1010, 1060, 1080, 1090, 1090,
    1070, 1060, 1050, 1050, 1060, 1090, 1130, 1150, 1120, 1070, 1000, 930,
)  # fmt: skip
LIFECYCLE_MG = {"solar": 45_000, "wind": 11_000, "hydro": 24_000, "nuclear": 12_000}
RENEWABLE = ("solar", "wind", "hydro")


@dataclass(frozen=True, slots=True)
class Mix:
    """A sample zone: mean output per source in thousandths of demand, and what its remaining power emits."""

    code: str
    name: str
    name_zh: str
    country: str
    timezone: str
    utc_offset: int
    solar: int
    wind: int
    hydro: int
    nuclear: int
    fossil_lifecycle_mg: int
    fossil_direct_mg: int


ZONES: tuple[Mix, ...] = (
    Mix("CN-NX", "Ningxia", "宁夏", "CN", "Asia/Shanghai", 8, 620, 330, 40, 0, 850_000, 790_000),
    Mix("CN-GZ", "Guizhou", "贵州", "CN", "Asia/Shanghai", 8, 180, 60, 620, 0, 850_000, 790_000),
    Mix("CN-NM", "Inner Mongolia", "内蒙古", "CN", "Asia/Shanghai", 8, 320, 590, 10, 0, 870_000, 810_000),
    Mix("CN-HE", "Hebei", "河北", "CN", "Asia/Shanghai", 8, 420, 430, 20, 0, 850_000, 790_000),
    Mix("CN-SH", "Shanghai", "上海", "CN", "Asia/Shanghai", 8, 120, 60, 170, 60, 760_000, 700_000),
    Mix("CN-AH", "Anhui", "安徽", "CN", "Asia/Shanghai", 8, 720, 110, 30, 0, 840_000, 780_000),
    Mix("CN-GD", "Guangdong", "广东", "CN", "Asia/Shanghai", 8, 150, 90, 120, 420, 690_000, 620_000),
    Mix("CN-YN", "Yunnan", "云南", "CN", "Asia/Shanghai", 8, 140, 110, 690, 0, 840_000, 780_000),
    Mix("SE", "Northern Sweden", "瑞典北部", "SE", "Europe/Stockholm", 1, 10, 300, 620, 60, 490_000, 400_000),
    Mix("DE", "Germany", "德国", "DE", "Europe/Berlin", 1, 400, 330, 60, 0, 700_000, 640_000),
    Mix("US-TEX", "Texas", "得克萨斯", "US", "America/Chicago", -6, 330, 290, 10, 90, 520_000, 440_000),
    Mix("SG", "Singapore", "新加坡", "SG", "Asia/Singapore", 8, 60, 0, 0, 0, 490_000, 390_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One hour of a zone: intensities in mg/kWh, shares in ppm."""

    start: datetime
    direct_mg: int
    lifecycle_mg: int
    renewable_ppm: int
    carbon_free_ppm: int


def hours_of_zone(mix: Mix, start: datetime, hours: int) -> Sequence[GridPoint]:
    """`hours` points from the whole UTC hour `start`."""
    return [_point(mix, start + n * HOUR) for n in range(hours)]


def _point(mix: Mix, start: datetime) -> GridPoint:
    hour = int(start.timestamp()) // 3600
    local = (start.hour + mix.utc_offset) % 24
    demand = DEMAND[local] * (970 + 60 * _noise(mix.code, "demand", hour, 3) // 1000) // 1000
    output = _output(mix, start, hour, local)
    left, used = demand, {}
    for source in ("hydro", "wind", "solar", "nuclear"):
        used[source] = min(left, output[source])
        left -= used[source]
    renewable = sum(used[source] for source in RENEWABLE) * PPM // demand
    free = (sum(used.values()) * PPM) // demand
    lifecycle = sum(used[source] * LIFECYCLE_MG[source] for source in used) + left * mix.fossil_lifecycle_mg
    return GridPoint(start, left * mix.fossil_direct_mg // demand, lifecycle // demand, renewable, max(renewable, free))


def _output(mix: Mix, start: datetime, hour: int, local: int) -> dict[str, int]:
    """What each source delivers, thousandths of mean demand. A mean sun needs 3.1 times its mean at noon."""
    clouds = 600 + 400 * _noise(mix.code, "clouds", hour, 6) // 1000
    gusts = 350 + 1300 * _noise(mix.code, "gusts", hour, 9) // 1000
    rain = 850 + 300 * _noise(mix.code, "rain", hour, 120) // 1000
    season = SEASON_NORTH[start.month - 1] if mix.utc_offset != 8 or mix.code != "SG" else 900
    return {
        "solar": mix.solar * 31 // 10 * SUN[local] // 1000 * season // 1000 * clouds // 1000,
        "wind": mix.wind * gusts // 1000,
        "hydro": mix.hydro * rain // 1000,
        "nuclear": mix.nuclear,
    }


def _noise(zone: str, kind: str, hour: int, period: int) -> int:
    """Smooth noise in 0..1000: a hash every `period` hours, joined by straight lines."""
    block, part = divmod(hour, period)
    before, after = _hash(zone, kind, block), _hash(zone, kind, block + 1)
    return before + (after - before) * part // period


def _hash(zone: str, kind: str, block: int) -> int:
    digest = hashlib.sha256(f"{zone} {kind} {block}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 1001
