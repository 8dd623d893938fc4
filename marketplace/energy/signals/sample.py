"""The sample grid: a deterministic, invented electricity mix for a few zones, the same in any process.

Power is counted in millionths of the zone's mean demand, with integers alone, so that two machines agree to the last
digit. Sun follows latitude, season and clouds; wind and clouds are smooth noise over hours and days; water follows the
rains and what the other sources leave; coal and gas fill the rest. Intensities are the medians of IPCC AR5 WGIII
Annex III (life-cycle) and common direct factors. Everything made here bears the source `sample`.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from marketplace.common.clock import HOUR
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.signals.base import Signal, SignalPoint
from marketplace.energy.zones import BY_CODE

SOURCE = "sample"
VINTAGE = "2"  # of this generator: a change of any figure below makes another one
TURN = 3600  # steps of a full turn in the sine table
SINE = tuple(round(math.sin(2 * math.pi * step / TURN) * PPM) for step in range(TURN))
DECLINATION = 23_440_000  # of the sun at the solstice, in millionths of a degree
DEMAND_BY_HOUR = (
    880, 850, 830, 820, 830, 870, 940, 1010, 1060, 1080, 1090, 1090,
    1070, 1060, 1050, 1050, 1060, 1090, 1130, 1150, 1120, 1070, 1000, 930,
)  # fmt: skip
LIFECYCLE_G = {"solar": 48, "wind": 11, "hydro": 24, "nuclear": 12, "coal": 820, "gas": 490}
DIRECT_G = {"coal": 760, "gas": 370}
RENEWABLE = ("solar", "wind", "hydro")
CARBON_FREE = (*RENEWABLE, "nuclear")


@dataclass(frozen=True, slots=True)
class Mix:
    """A sample zone's power in thousandths of mean demand: solar and wind at full output, the others on average.

    `must_run` is the thermal power that never stops; `coal` its and the rest's share of coal in thousandths.
    """

    code: str
    utc_offset: int
    solar: int
    wind: int
    hydro: int
    nuclear: int
    coal: int
    must_run: int = 40


MIXES: tuple[Mix, ...] = (
    Mix("CN-NX", 8, solar=1250, wind=900, hydro=60, nuclear=0, coal=900),
    Mix("CN-GZ", 8, solar=280, wind=120, hydro=760, nuclear=0, coal=900, must_run=20),
    Mix("CN-NM", 8, solar=520, wind=1350, hydro=20, nuclear=0, coal=950),
    Mix("CN-HE", 8, solar=620, wind=1200, hydro=30, nuclear=0, coal=900),
    Mix("CN-SH", 8, solar=240, wind=160, hydro=190, nuclear=90, coal=500, must_run=120),
    Mix("CN-AH", 8, solar=1500, wind=260, hydro=130, nuclear=0, coal=600),
    Mix("CN-GD", 8, solar=260, wind=180, hydro=140, nuclear=620, coal=150, must_run=20),
    Mix("CN-YN", 8, solar=260, wind=240, hydro=780, nuclear=0, coal=800, must_run=10),
    Mix("SE", 1, solar=30, wind=560, hydro=560, nuclear=210, coal=0, must_run=0),
    Mix("DE", 1, solar=900, wind=850, hydro=90, nuclear=0, coal=550, must_run=60),
    Mix("US-TEX", -6, solar=620, wind=620, hydro=10, nuclear=90, coal=250, must_run=60),
    Mix("SG", 8, solar=90, wind=0, hydro=0, nuclear=0, coal=20, must_run=300),
)
MIX_OF = {mix.code: mix for mix in MIXES}


class SampleProvider:
    """Sample signals of the zones in MIXES."""

    source = SOURCE
    vintage = VINTAGE

    def points(self, *, zone: str, start: datetime, end: datetime) -> Iterator[SignalPoint]:
        """Hourly points of `zone` from the whole hour `start` up to `end`; KeyError for a zone without a mix."""
        mix = MIX_OF[zone]
        while start < end:
            issued = start + HOUR
            for kind, value in _signals(mix, start).items():
                yield SignalPoint(zone, start, 60, kind, value, False, issued, SOURCE)
            start += HOUR


def _signals(mix: Mix, start: datetime) -> dict[Signal, int]:
    """Shares rounded down, intensities up."""
    power = power_of_hour(mix, start)
    whole = sum(power.values())
    return {
        Signal.DIRECT: ceil_div(1000 * sum(power[name] * grams for name, grams in DIRECT_G.items()), whole),
        Signal.LIFECYCLE: ceil_div(1000 * sum(power[name] * grams for name, grams in LIFECYCLE_G.items()), whole),
        Signal.RENEWABLE: sum(power[name] for name in RENEWABLE) * PPM // whole,
        Signal.CARBON_FREE: sum(power[name] for name in CARBON_FREE) * PPM // whole,
    }


def power_of_hour(mix: Mix, start: datetime) -> dict[str, int]:
    """What each source delivers in the hour from `start`, in millionths of mean demand; together they meet demand."""
    hour = int(start.timestamp()) // 3600
    demand = _demand(mix, start, hour)
    must_run = min(mix.must_run * 1000, demand)
    nuclear = min(mix.nuclear * (940_000 + _noise(mix.code, "outages", hour, (400, 130)) * 60 // 1000) // 1000, demand)
    room = max(0, demand - must_run - nuclear)
    solar, wind = _curtailed(_solar(mix, start, hour), _wind(mix, start, hour), room)
    hydro = min(room - solar - wind, _hydro(mix, start, hour, room - solar - wind))
    thermal = demand - nuclear - solar - wind - hydro
    coal = thermal * mix.coal // 1000
    return {"solar": solar, "wind": wind, "hydro": hydro, "nuclear": nuclear, "coal": coal, "gas": thermal - coal}


def output_ppm(zone: str, technology: str, start: datetime) -> int:
    """What a plant in a sample zone makes in the hour from `start`, in millionths of its capacity; `solar` or `wind`.

    By the weather that the zone's mix has. Raises KeyError for a zone without a mix.
    """
    mix = replace(MIX_OF[zone], solar=1000, wind=1000)
    make = {"solar": _solar, "wind": _wind}[technology]
    return min(PPM, make(mix, start, int(start.timestamp()) // 3600))


def _demand(mix: Mix, start: datetime, hour: int) -> int:
    local = start + timedelta(hours=mix.utc_offset)
    weekend = 950 if local.weekday() >= 5 else 1020
    weather = 970_000 + _noise(mix.code, "demand", hour, (40, 7)) * 60_000 // PPM
    return DEMAND_BY_HOUR[local.hour] * weekend * weather // PPM


def _solar(mix: Mix, start: datetime, hour: int) -> int:
    """Panels tilted by the latitude at the middle of the hour: cos δ · cos H while the sun is up, dimmed when low."""
    zone = BY_CODE[mix.code]
    noon_angle = (start.hour * 60 + 30) * TURN // 1440 + round(zone.longitude * TURN / 360) - TURN // 2
    day = start.timetuple().tm_yday
    declination = -DECLINATION * _cosine((day + 10) * TURN // 365) // PPM  # millionths of a degree
    tilt, latitude = declination * TURN // 360 // PPM, round(zone.latitude * TURN / 360)
    facing = _cosine(tilt) * _cosine(noon_angle) // PPM
    height = (_sine(latitude) * _sine(tilt) + _cosine(latitude) * _cosine(tilt) // PPM * _cosine(noon_angle)) // PPM
    if height <= 0 or facing <= 0:
        return 0
    clear = min(PPM, 450_000 + _noise(mix.code, "clouds", hour, (37, 6)) * 800 // 1000)
    return mix.solar * 1000 * facing // PPM * min(PPM, 200_000 + 3 * height) // PPM * clear // PPM


def _wind(mix: Mix, start: datetime, hour: int) -> int:
    """Fronts last two days, gusts a few hours; nights and winters are windier."""
    speed = _noise(mix.code, "wind", hour, (59, 17, 5))
    steep = max(0, min(PPM, (speed - 200_000) * 10 // 6))
    night = 1000 + 80 * _cosine((start.hour + mix.utc_offset - 2) * TURN // 24) // PPM
    winter = 1000 + 120 * _cosine(start.timetuple().tm_yday * TURN // 365) // PPM
    return mix.wind * 1000 * steep // PPM * night // 1000 * winter // 1000


def _hydro(mix: Mix, start: datetime, hour: int, wanted: int) -> int:
    """Half flows as it rains, half waits in the reservoir for the hours that want it most."""
    wet = 1000 - 150 * _cosine((start.timetuple().tm_yday - 30) * TURN // 365) // PPM  # wettest at the end of July
    water = mix.hydro * wet * (850_000 + _noise(mix.code, "rain", hour, (331, 71)) * 300 // 1000) // PPM
    return water // 2 + water * wanted // (2 * 750_000)


def _curtailed(solar: int, wind: int, room: int) -> tuple[int, int]:
    """Both cut in the same proportion when they exceed `room`."""
    both = solar + wind
    return (solar, wind) if both <= room else (solar * room // both, wind * room // both)


def _cosine(angle: int) -> int:
    return _sine(angle + TURN // 4)


def _sine(angle: int) -> int:
    return SINE[angle % TURN]


def _noise(zone: str, kind: str, hour: int, periods: tuple[int, ...]) -> int:
    """Smooth noise in 0..1,000,000: per period, hashes joined by straight lines, slower ones weighing double."""
    total = weights = 0
    for index, period in enumerate(periods):
        block, part = divmod(hour, period)
        before, after = _hash(zone, kind, period, block), _hash(zone, kind, period, block + 1)
        weight = 2 ** (len(periods) - index)
        total += weight * (before + (after - before) * part // period)
        weights += weight
    return total // weights


@lru_cache(maxsize=65_536)
def _hash(zone: str, kind: str, period: int, block: int) -> int:
    digest = hashlib.sha256(f"{zone} {kind} {period} {block}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (PPM + 1)
